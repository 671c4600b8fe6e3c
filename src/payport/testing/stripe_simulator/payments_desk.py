"""
Serves PaymentIntents: made, changed, confirmed, captured and canceled at the bank.

Everything is checked before the bank is asked: what a request says, then what it names, then
whether the payment allows it.
"""

from __future__ import annotations

from typing import Final

from payport.testing.bank.bank import Bank
from payport.testing.bank.records import CaptureState, Order, Payment, State
from payport.testing.stripe_simulator.amounts import (
    check_chargeable,
    currency_of,
    from_wire,
    shown,
    to_wire,
)
from payport.testing.stripe_simulator.asking import Ask
from payport.testing.stripe_simulator.cards import refusal
from payport.testing.stripe_simulator.errors import (
    ApiError,
    Doc,
    invalid,
    missing,
    unexpected_state,
)
from payport.testing.stripe_simulator.memory import Intent, Memory, Method
from payport.testing.stripe_simulator.methods import has_multicapture
from payport.testing.stripe_simulator.methods_desk import MethodsDesk, merged
from payport.testing.stripe_simulator.objects import STATUSES, Payments, last_error

__all__ = ["PaymentsDesk"]

#: Parameters that would change what happens in ways the bank has no idea of.
_NOT_SIMULATED: Final[tuple[str, ...]] = (
    *("amount_details", "amount_to_confirm", "application_fee_amount", "confirmation_token"),
    *("customer_account", "hooks", "mandate", "mandate_data", "on_behalf_of", "payment_details"),
    *("payment_method_configuration", "radar_options", "transfer_data"),
)
#: Parameters that only say something, and are told again as they were.
_KEPT: Final[tuple[str, ...]] = (
    *("allowed_payment_method_types", "automatic_payment_methods", "capture_method"),
    *("confirmation_method", "description", "excluded_payment_method_types"),
    *("payment_method_options", "receipt_email", "return_url", "setup_future_usage", "shipping"),
    *("statement_descriptor", "statement_descriptor_suffix", "transfer_group", "use_stripe_sdk"),
)
_ONLY_CONFIRMED: Final[tuple[str, ...]] = ("return_url", "off_session", "error_on_requires_action")
_CONFIRMABLE: Final = frozenset({State.OPEN, State.READY, State.REFUSED, State.CHALLENGED})
_CANCELABLE: Final = (
    "requires_payment_method, requires_capture, requires_confirmation, requires_action, processing"
)
_OPEN_STATUSES: Final = "requires_payment_method, requires_confirmation, requires_action"
_NO_METHOD: Final = (
    "You cannot confirm this PaymentIntent because it's missing a payment method. You can either"
    " update the PaymentIntent with a payment method and then confirm it again, or confirm it again"
    " directly with a payment method or ConfirmationToken."
)
_NO_WAY_BACK: Final = (
    "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because"
    " some of these payment methods might redirect your customer off of your page, you must provide"
    " a `return_url`. If you don't want to accept redirect-based payment methods, set"
    " `automatic_payment_methods[enabled]` to `true` and"
    " `automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and"
    " Payment Intents."
)


class PaymentsDesk:
    """Serves `/v1/payment_intents`. Whoever calls it holds the bank's lock."""

    def __init__(
        self, bank: Bank, memory: Memory, payments: Payments, methods: MethodsDesk
    ) -> None:
        self._bank = bank
        self._memory = memory
        self._payments = payments
        self._methods = methods

    # -- made and changed -----------------------------------------------------------------------

    def create_payment(self, ask: Ask) -> Doc:
        """POST /v1/payment_intents."""
        params = ask.params
        _check_simulated(params)
        confirm = params.get("confirm", False)
        currency = currency_of(params["currency"])
        amount = from_wire(params["amount"], currency)
        check_chargeable(params["amount"], currency)
        for name in _ONLY_CONFIRMED:
            if params.get(name) and not confirm:
                message = f"The parameter `{name}` cannot be passed when creating a PaymentIntent"
                raise invalid(f"{message} unless `confirm` is set to true.", param=name)
        customer: str | None = params.get("customer")
        self._methods.check_customer(customer)
        fields = {name: params[name] for name in _KEPT if name in params}
        if confirm:
            if "payment_method" not in params and "payment_method_data" not in params:
                raise invalid(_NO_METHOD, "payment_intent_unexpected_state", executed=True)
            _check_confirmation(fields, params)
        method = self._methods.resolve(params, customer)
        metadata = merged({}, params.get("metadata"))
        order = _order(
            *(fields, params, method),
            customer=customer,
            metadata=metadata,
            amount=amount,
            currency=currency,
            tag=ask.key,
        )
        self._memory.asked = (fields, metadata, method)
        try:
            payment = self._bank.payments_desk.create(order, confirm=confirm, forced=ask.forced)
        finally:
            self._memory.asked = None
        intent = self._memory.intent_of(payment)
        return self._tried(intent) if confirm else self._payments.intent(intent)

    def update_payment(self, ask: Ask) -> Doc:
        """POST /v1/payment_intents/:id."""
        intent, params = self._intent(ask.ref), ask.params
        _check_simulated(params)
        payment, order = intent.payment, intent.payment.order
        touches = params.keys() - {"description", "expand", "metadata", "receipt_email"}
        if payment.state not in _CONFIRMABLE - {State.CHALLENGED} and touches:
            name = min(touches)
            message = (
                f"This PaymentIntent's {name} could not be updated because it has a status of"
                f" {STATUSES[payment.state]}. You may only update the {name} of a PaymentIntent"
                f" with one of the following statuses: {_OPEN_STATUSES}."
            )
            raise unexpected_state(message, self._payments.intent(intent))
        currency = currency_of(params.get("currency", order.currency))
        on_wire = params.get("amount", to_wire(order.amount, order.currency))
        amount = from_wire(on_wire, currency)
        check_chargeable(on_wire, currency)
        customer: str | None = params.get("customer", order.customer)
        self._methods.check_customer(customer)
        method = self._methods.resolve(params, customer, intent.method)
        fields = _changed(intent.fields, params)
        if touches:
            more = _order(
                *(fields, params, method or intent.method),
                customer=customer,
                metadata={},
                amount=amount,
                currency=currency,
            )
            self._bank.payments_desk.amend(payment.ref, more)
        self._adopt(intent, fields, method)
        self._remember(intent, params.get("metadata"))
        return self._payments.intent(intent)

    def confirm_payment(self, ask: Ask) -> Doc:
        """POST /v1/payment_intents/:id/confirm."""
        intent, params = self._intent(ask.ref), ask.params
        _check_simulated(params)
        payment, order = intent.payment, intent.payment.order
        if payment.state not in _CONFIRMABLE:
            raise unexpected_state(_not_confirmable(payment), self._payments.intent(intent))
        fields = _changed(intent.fields, params)
        _check_confirmation(fields, params)
        method = self._methods.resolve(params, order.customer, intent.method)
        used = method or (None if payment.state is State.REFUSED else intent.method)
        if used is None:
            raise unexpected_state(_NO_METHOD, self._payments.intent(intent))
        if payment.state is State.CHALLENGED:
            if method is None:
                return self._payments.intent(intent)
            # A new payment method ends the challenge of the one before.
            self._bank.payments_desk.abandon(payment)
        terms = _order(
            *(fields, params, used),
            customer=order.customer,
            metadata=intent.metadata,
            amount=order.amount,
            currency=order.currency,
            tag=ask.key,
            attempt=len(payment.tries) + 1,
        )
        self._adopt(intent, fields, used)
        self._bank.payments_desk.confirm(payment.ref, terms, forced=ask.forced)
        return self._tried(intent)

    def _tried(self, intent: Intent) -> Doc:
        """What is answered after a try: the payment, or the decline with the payment in it."""
        method = intent.method
        payment = intent.payment
        if method is not None:
            method.used = True
        document = self._payments.intent(intent)
        if payment.state in {State.REFUSED, State.ERRORED} and intent.error is not None:
            error = {**intent.error, "payment_intent": document}
            raise ApiError(402, error, executed=True)
        return document

    def _adopt(self, intent: Intent, fields: Doc, method: Method | None) -> None:
        intent.fields = fields
        if method is not None:
            intent.method = method

    def _remember(self, intent: Intent, changes: dict[str, str] | None) -> None:
        intent.metadata = merged(intent.metadata, changes)
        if changes:
            self._memory.vault.name(intent.payment, *changes.values())

    # -- taken and released ---------------------------------------------------------------------

    def capture_payment(self, ask: Ask) -> Doc:
        """POST /v1/payment_intents/:id/capture."""
        intent, params = self._intent(ask.ref), ask.params
        _check_simulated(params)
        payment, currency = intent.payment, intent.currency
        if payment.state is not State.HELD:
            raise unexpected_state(_not_capturable(payment), self._payments.intent(intent))
        free = payment.authorized - payment.spoken_for
        asked = params.get("amount_to_capture")
        amount = free if asked is None else from_wire(asked, currency, param="amount_to_capture")
        if amount > free:
            message = (
                f"The provided amount_to_capture ({shown(amount, currency)}) is greater than the"
                f" capturable amount ({shown(free, currency)})."
            )
            param = "amount_to_capture"
            raise invalid(message, "amount_too_large", param=param, executed=True)
        final = params.get("final_capture", True)
        if not final and not has_multicapture(intent.fields):
            message = (
                "`final_capture` may only be false where multicapture is available for this"
                " PaymentIntent: set `payment_method_options[card][request_multicapture]`."
            )
            raise invalid(message, param="final_capture", executed=True)
        self._remember(intent, params.get("metadata"))
        _, capture = self._bank.captures_desk.capture(
            payment.ref, amount, tag=ask.key, final=final, refused=ask.declined
        )
        document = self._payments.intent(intent)
        if capture.state is CaptureState.BOUNCED:
            raise ApiError(402, self._capture_declined(intent, document), executed=True)
        return document

    def _capture_declined(self, intent: Intent, document: Doc) -> Doc:
        charge = intent.charge.id if intent.charge is not None else None
        return {**last_error(refusal("generic"), charge, None), "payment_intent": document}

    def cancel_payment(self, ask: Ask) -> Doc:
        """POST /v1/payment_intents/:id/cancel."""
        intent = self._intent(ask.ref)
        payment = intent.payment
        status = STATUSES[payment.state]
        if status in {"succeeded", "canceled"} or payment.spoken_for:
            message = (
                f"You cannot cancel this PaymentIntent because it has a status of {status}. Only a"
                f" PaymentIntent with one of the following statuses may be canceled: {_CANCELABLE}."
            )
            raise unexpected_state(message, self._payments.intent(intent))
        if ask.declined:
            message = "This PaymentIntent could not be canceled."
            raise unexpected_state(message, self._payments.intent(intent))
        intent.canceled_for = ask.params.get("cancellation_reason")
        self._bank.payments_desk.cancel(payment.ref, tag=ask.key)
        return self._payments.intent(intent)

    # -- read -----------------------------------------------------------------------------------

    def retrieve_payment(self, ask: Ask) -> Doc:
        """GET /v1/payment_intents/:id."""
        return self._payments.intent(self._intent(ask.ref))

    def _intent(self, ref: str) -> Intent:
        intent = self._memory.intents.get(ref)
        if intent is None:
            raise missing("payment_intent", ref, param="intent", status=404)
        return intent


def _check_simulated(params: Doc) -> None:
    for name in _NOT_SIMULATED:
        if name in params:
            message = f"The simulator does not know what `{name}` does. Leave it out."
            raise invalid(message, "parameter_unknown", param=name)


def _check_confirmation(fields: Doc, params: Doc) -> None:
    automatic: Doc | None = fields.get("automatic_payment_methods")
    types = fields.get("allowed_payment_method_types")
    enabled = automatic.get("enabled") == "true" if automatic is not None else types is None
    told: Doc = automatic or {}
    redirects = enabled and told.get("allow_redirects", "always") == "always"
    if redirects and not fields.get("return_url") and not params.get("off_session"):
        raise invalid(_NO_WAY_BACK)
    if fields.get("statement_descriptor"):
        message = (
            "The `statement_descriptor` parameter is not supported for card payments. Use"
            " `statement_descriptor_suffix` instead."
        )
        raise invalid(message, param="statement_descriptor")


def _changed(fields: Doc, params: Doc) -> Doc:
    changes = {name: params[name] for name in _KEPT if name in params}
    return {**fields, **changes} if changes else fields


def _order(
    fields: Doc,
    params: Doc,
    method: Method | None,
    *,
    customer: str | None,
    metadata: dict[str, str],
    amount: int,
    currency: str,
    tag: str | None = None,
    attempt: int = 1,
) -> Order:
    """What the bank is asked."""
    saved = method is not None and method.customer is not None
    off_session = bool(params.get("off_session") or params.get("error_on_requires_action"))
    return Order(
        amount=amount,
        currency=currency,
        tag=tag,
        attempt=attempt,
        token=method.id if method is not None else None,
        customer=customer,
        manual=fields.get("capture_method") == "manual",
        off_session=off_session,
        save=bool(fields.get("setup_future_usage")) and customer is not None and not saved,
        return_url=fields.get("return_url"),
        description=fields.get("description"),
        metadata=metadata,
    )


def _not_confirmable(payment: Payment) -> str:
    if payment.state is State.DONE:
        return (
            "You cannot confirm this PaymentIntent because it has already succeeded after being"
            " previously confirmed."
        )
    status = STATUSES[payment.state]
    return (
        f"You cannot confirm this PaymentIntent because it has a status of {status}. Only a"
        f" PaymentIntent with one of the following statuses may be confirmed: {_OPEN_STATUSES}."
    )


def _not_capturable(payment: Payment) -> str:
    if payment.state is State.DONE:
        return "This PaymentIntent could not be captured because it has already been captured."
    return (
        "This PaymentIntent could not be captured because it has a status of"
        f" {STATUSES[payment.state]}. Only a PaymentIntent with one of the following statuses may"
        " be captured: requires_capture."
    )
