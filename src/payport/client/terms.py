"""The terms of a payment: checked, written down for fingerprints, and merged for later attempts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from payport.domain.payment_intent import CaptureMethod, PaymentIntent
from payport.providers.commands import Terms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from payport.client.validation import Checker
    from payport.domain.money import Money

__all__ = [
    "NO_HINTS",
    "Given",
    "Hints",
    "TryTerms",
    "checked_hints",
    "fixed_parameters",
    "merged",
    "money",
    "parameters",
    "terms_from",
    "terms_of",
    "try_parameters",
    "try_terms",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The terms as an application passed them, unchecked; `Payments.create` says what each is."""

    amount: Any
    payment_method: Any = field(default=None, repr=False)
    customer: Any = None
    capture_method: Any = CaptureMethod.AUTOMATIC
    off_session: Any = False
    save_payment_method: Any = False
    return_url: Any = None
    description: Any = None
    statement_descriptor: Any = None
    receipt_email: Any = None
    metadata: Any = None
    country: Any = None
    method: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """
    What a router's rules ask for and no provider is told. No part of what tells a repetition from
    another request: a decision is replayed, whatever is said by then.
    """

    country: str | None = None
    method: str | None = None


#: Nothing was said.
NO_HINTS = Hints()


@dataclass(frozen=True, slots=True, kw_only=True)
class TryTerms:
    """What one attempt may change; None keeps what the payment was created with."""

    payment_method: str | None = field(default=None, repr=False)
    return_url: str | None = None
    off_session: bool | None = None


def terms_from(given: Given, checker: Checker) -> Terms:
    """
    The checked terms.

    Raises:
        InvalidRequest: Something is wrong with one of them; the error names it.
    """
    limits = checker.limits
    return Terms(
        amount=checker.amount(given.amount),
        payment_method=checker.token(given.payment_method, "payment_method"),
        customer=checker.token(given.customer, "customer"),
        capture_method=checker.member(given.capture_method, CaptureMethod, "capture_method"),
        off_session=checker.flag(given.off_session, "off_session"),
        save_payment_method=checker.flag(given.save_payment_method, "save_payment_method"),
        return_url=checker.url(given.return_url, "return_url"),
        description=checker.text(given.description, "description", limits.description_length),
        statement_descriptor=checker.text(
            given.statement_descriptor,
            "statement_descriptor",
            limits.statement_descriptor_length,
        ),
        receipt_email=checker.email(given.receipt_email, "receipt_email"),
        metadata=checker.metadata(given.metadata),
    )


def checked_hints(country: object, method: object, checker: Checker) -> Hints:
    """The checked hints. Raises InvalidRequest."""
    if country is None and method is None:
        return NO_HINTS
    return Hints(country=checker.country(country), method=checker.method(method))


def money(amount: Money | None) -> str | None:
    """An amount as fingerprints write it down."""
    return None if amount is None else f"{amount.minor} {amount.currency}"


def fixed_parameters(terms: Terms) -> Mapping[str, object]:
    """What every attempt of a payment has in common."""
    return {
        "amount": money(terms.amount),
        "capture_method": terms.capture_method.value,
        "customer": terms.customer,
        "description": terms.description,
        "metadata": dict(terms.metadata) or None,
        "receipt_email": terms.receipt_email,
        "save_payment_method": terms.save_payment_method or None,
        "statement_descriptor": terms.statement_descriptor,
    }


def parameters(terms: Terms) -> Mapping[str, object]:
    """All that the application said of the payment."""
    return {**fixed_parameters(terms), **try_parameters(try_terms(terms))}


def try_parameters(given: TryTerms) -> Mapping[str, object]:
    """What an attempt says of itself."""
    return {
        "off_session": given.off_session or None,
        "payment_method": given.payment_method,
        "return_url": given.return_url,
    }


def try_terms(terms: Terms) -> TryTerms:
    """What of the terms belongs to an attempt."""
    return TryTerms(
        payment_method=terms.payment_method,
        return_url=terms.return_url,
        off_session=terms.off_session,
    )


def merged(terms: Terms, given: TryTerms) -> Terms:
    """The payment's terms, with what this attempt changes."""
    return replace(
        terms,
        payment_method=given.payment_method or terms.payment_method,
        return_url=given.return_url or terms.return_url,
        off_session=terms.off_session if given.off_session is None else given.off_session,
    )


def terms_of(intent: PaymentIntent) -> Terms:
    """The terms as far as the payment itself tells, where they may not be stored."""
    return Terms(
        amount=intent.amount,
        capture_method=intent.capture_method,
        description=intent.description,
        metadata=intent.metadata,
    )
