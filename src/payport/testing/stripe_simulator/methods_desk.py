"""Serves payment methods and customers. Takes tokens, as Stripe does, and never card numbers."""

from __future__ import annotations

from typing import Any, Final, cast

from payport.testing.stripe_simulator.asking import Ask
from payport.testing.stripe_simulator.cards import ABSENT, LOOKS, SAVED_ALL_THE_SAME, refusal
from payport.testing.stripe_simulator.effects import Effects
from payport.testing.stripe_simulator.errors import ApiError, Doc, invalid, missing
from payport.testing.stripe_simulator.events import Events
from payport.testing.stripe_simulator.memory import Customer, Memory, Method
from payport.testing.stripe_simulator.methods import payment_method

__all__ = ["MethodsDesk", "deleted_keys", "merged"]

_RAW_NUMBER: Final = (
    "Sending credit card numbers directly to the Stripe API is generally unsafe. We suggest you use"
    " test tokens that map to the test card you are using, see https://stripe.com/docs/testing."
)
_USED: Final = (
    "The provided PaymentMethod was previously used with a PaymentIntent without Customer"
    " attachment, shared with a connected account without Customer attachment, or was detached from"
    " a Customer. It may not be used again. To use a PaymentMethod multiple times, you must attach"
    " it to a Customer first."
)
_TOKEN: Final = "tok_"  # noqa: S105 - the beginning of every test token


def merged(metadata: dict[str, str], changes: dict[str, str] | None) -> dict[str, str]:
    """Metadata with changes: an empty value takes a key out, no keys at all take all out."""
    if changes is None:
        return metadata
    if not changes:
        return {}
    return {key: value for key, value in {**metadata, **changes}.items() if value != ""}


def deleted_keys(fields: Doc) -> Doc:
    """Fields without those that were unset."""
    return {name: value for name, value in fields.items() if value != ""}


class MethodsDesk:
    """Serves `/v1/payment_methods` and `/v1/customers`."""

    def __init__(self, memory: Memory, effects: Effects, events: Events, *, live: bool) -> None:
        self._memory = memory
        self._effects = effects
        self._events = events
        self._live = live

    # -- for payments ---------------------------------------------------------------------------

    def resolve(
        self, params: Doc, customer: str | None, mine: Method | None = None
    ) -> Method | None:
        """
        The payment method that a payment is asked with; a token is made into one.

        Args:
            mine: The payment's own, which it may be tried with again.

        Raises:
            ApiError: There is none, it is another customer's, or it was used up.
        """
        data: Doc | None = params.get("payment_method_data")
        if data is not None:
            return self._from_data(data)
        ref = params.get("payment_method")
        if ref is None:
            return None
        return mine if mine is not None and mine.id == ref else self._usable(ref, customer)

    def _usable(self, ref: str, customer: str | None) -> Method:
        method = self._memory.methods.get(ref)
        if method is None:
            if ref not in self._memory.vault.cards or ref in ABSENT:
                raise missing("payment_method", ref, param="payment_method")
            return self._memory.mint(ref)
        if method.customer is not None and method.customer != customer:
            message = (
                f"The PaymentMethod {ref} belongs to a Customer. Please include that Customer in"
                " the `customer` parameter on the PaymentIntent."
            )
            raise invalid(message, param="payment_method", executed=True)
        if method.customer is None and method.used:
            raise invalid(_USED, param="payment_method", executed=True)
        return method

    def _from_data(self, data: Doc) -> Method:
        card: Any = data.get("card")
        if not isinstance(card, dict) or data.get("type", "card") != "card":
            message = "The simulator knows payment methods of type `card` only."
            raise invalid(message, "parameter_missing", param="payment_method_data[card]")
        details = cast("Doc", card)
        if "number" in details:
            raise invalid(_RAW_NUMBER, status=402)
        token = str(details.get("token", ""))
        name = f"pm_card_{token.removeprefix(_TOKEN)}"
        if not token.startswith(_TOKEN) or name not in LOOKS:
            raise missing("token", token, param="card[token]")
        return self._memory.mint(name)

    def check_customer(self, ref: str | None) -> None:
        """
        Check that a customer exists.

        Raises:
            ApiError: There is none.
        """
        if ref is not None and self._memory.customer(ref) is None:
            raise missing("customer", ref, param="customer")

    # -- payment methods ------------------------------------------------------------------------

    def create_method(self, ask: Ask) -> Doc:
        """POST /v1/payment_methods."""
        method = self._from_data(ask.params)
        method.metadata = ask.params.get("metadata", {})
        return self.written(method)

    def retrieve_method(self, ask: Ask) -> Doc:
        """GET /v1/payment_methods/:id."""
        return self.written(self._method(ask.ref))

    def attach_method(self, ask: Ask) -> Doc:
        """POST /v1/payment_methods/:id/attach; a token is made into a payment method first."""
        self._check_token(ask.ref)
        known = self._memory.methods.get(ask.ref)
        customer: str = ask.params["customer"]
        self.check_customer(customer)
        if known is None:
            declined = self._memory.vault.cards[ask.ref].declined
            asks_first = self._memory.vault.cards[ask.ref].challenge is not None
            if declined and not asks_first and ask.ref not in SAVED_ALL_THE_SAME:
                raise _not_saved(declined)
        elif known.used and known.customer is None:
            raise invalid(_USED, param="payment_method", executed=True)
        method = known or self._memory.mint(ask.ref)
        self._memory.attach(method, customer)
        document = self.written(method)
        self._events.tell("payment_method.attached", document)
        return document

    def detach_method(self, ask: Ask) -> Doc:
        """POST /v1/payment_methods/:id/detach."""
        method = self._method(ask.ref)
        if method.customer is None:
            message = "The payment method you provided is not attached to a customer so detachment"
            raise invalid(f"{message} is impossible.", executed=True)
        self._memory.detach(method)
        document = self.written(method)
        self._events.tell("payment_method.detached", document)
        return document

    def _check_token(self, ref: str) -> None:
        tokens = self._memory.vault.cards
        if ref not in self._memory.methods and (ref not in tokens or ref in ABSENT):
            raise missing("payment_method", ref, param="payment_method", status=404)

    def _method(self, ref: str) -> Method:
        self._check_token(ref)
        return self._memory.methods.get(ref) or self._memory.mint(ref)

    def written(self, method: Method) -> Doc:
        """A payment method's document."""
        return payment_method(method, live=self._live)

    # -- customers ------------------------------------------------------------------------------

    def create_customer(self, ask: Ask) -> Doc:
        """POST /v1/customers."""
        params = dict(ask.params)
        metadata = merged({}, params.pop("metadata", None))
        ref: str | None = params.pop("payment_method", None)
        method = self._usable(ref, None) if ref is not None else None
        customer = self._memory.add_customer(deleted_keys(params), metadata)
        if method is not None:
            self._memory.attach(method, customer.id)
        document = self._effects.customer(customer)
        self._events.tell("customer.created", document)
        return document

    def update_customer(self, ask: Ask) -> Doc:
        """POST /v1/customers/:id."""
        customer = self._customer(ask.ref)
        params = dict(ask.params)
        customer.metadata = merged(customer.metadata, params.pop("metadata", None))
        settings: Doc = params.get("invoice_settings", {})
        default = settings.get("default_payment_method")
        if default and (
            default not in self._memory.methods
            or self._memory.methods[default].customer != customer.id
        ):
            message = "The customer does not have a payment method with the ID"
            at = "invoice_settings[default_payment_method]"
            text = f"{message} {default}. The payment method must be attached to the customer."
            raise invalid(text, "resource_missing", param=at, executed=True)
        kept: Doc = customer.fields.get("invoice_settings", {})
        if settings:
            params["invoice_settings"] = deleted_keys({**kept, **settings})
        customer.fields = deleted_keys({**customer.fields, **params})
        document = self._effects.customer(customer)
        self._events.tell("customer.updated", document)
        return document

    def retrieve_customer(self, ask: Ask) -> Doc:
        """GET /v1/customers/:id."""
        return self._effects.customer(self._customer(ask.ref))

    def _customer(self, ref: str) -> Customer:
        customer = self._memory.customer(ref)
        if customer is None:
            raise missing("customer", ref, param="id", status=404)
        return customer


def _not_saved(declined: str) -> ApiError:
    why = refusal(declined)
    more: Doc = {} if why.decline_code is None else {"decline_code": why.decline_code}
    return invalid(
        why.message, why.code, status=402, kind="card_error", param="", executed=True, **more
    )
