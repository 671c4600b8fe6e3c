"""Answers that say no before a request was looked at, in Stripe's words."""

from __future__ import annotations

from payport.testing.stripe_simulator.errors import ApiError, invalid
from payport.testing.stripe_simulator.wire import unknown_key

__all__ = ["not_permitted", "refusal_of", "too_many"]


def too_many(retry_after: float | None) -> ApiError:
    """There are too many requests."""
    message = (
        "Request rate limit exceeded. Learn more about rate limits here"
        " https://stripe.com/docs/rate-limits."
    )
    headers = {"Stripe-Rate-Limited-Reason": "global-rate"}
    if retry_after is not None:
        headers["Retry-After"] = f"{retry_after:g}"
    return invalid(message, "rate_limit", status=429, headers=headers)


def not_permitted(permission: str, account: str | None = None) -> ApiError:
    """A restricted key may not do this."""
    where = "" if account is None else f" on account '{account}'"
    message = (
        f"The provided key does not have the required permissions for this endpoint{where}. Having"
        f" the '{permission}' permission would allow this request to continue."
    )
    return invalid(message, "more_permissions_required", status=403)


def refusal_of(status: int, code: str, key: str | None, retry_after: float | None) -> ApiError:
    """A fault's refusal, in Stripe's words."""
    if code == "key_in_use":
        message = (
            "There is currently another in-progress request using this Idempotent Key (that"
            " probably means you submitted twice, and the other request is still going through):"
            f" {key}. Please try again later."
        )
        kind = "idempotency_error"
        return invalid(message, "idempotency_key_in_use", status=status, kind=kind)
    if code == "rate_limited":
        return too_many(retry_after)
    if code == "bad_credentials":
        return unknown_key("")
    if code == "not_permitted":
        return not_permitted("rak_for_this")
    headers = {"Stripe-Should-Retry": "true"}
    message = "Stripe is unavailable at the moment; the request was not executed."
    return invalid(message, status=status, kind="api_error", headers=headers)
