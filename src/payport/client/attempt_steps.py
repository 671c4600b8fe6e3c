"""
How a payment is made and tried, without colour: create, confirm, and further attempts.

Each method checks its arguments before any I/O and returns the steps that carry it out. No attempt
begins while another one may still hold or take money.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from payport.client import terms as asked
from payport.client.action_steps import ActionSteps
from payport.client.hold_steps import HoldSteps
from payport.client.operation_steps import OperationSteps
from payport.client.validation import Checker, check_id, checked_reference
from payport.domain.errors import (
    IdempotencyConflict,
    InvalidRequest,
    InvalidTransition,
    UnsupportedOperation,
)
from payport.domain.facts import AttemptStatus
from payport.domain.identifiers import Kind, derive_id
from payport.domain.payment_intent import PaymentIntent, PaymentStatus
from payport.domain.transitions import check_attempt, check_confirm
from payport.operations.fingerprint import fingerprint
from payport.operations.plan import Beginning, Begun, Plan
from payport.operations.steps import transact
from payport.providers.commands import (
    ConfirmPayment,
    CreatePayment,
    Operation,
    Terms,
)
from payport.providers.routing.rules import Asked
from payport.providers.spec import Capability

if TYPE_CHECKING:
    from collections.abc import Mapping

    from payport.domain.errors import PayportError
    from payport.operations.session import Session
    from payport.operations.steps import Steps
    from payport.providers.spec import ProviderSpec

__all__ = ["AttemptSteps", "payment_id_of"]

_CREATE = "payments.create"
_CONFIRM = "payments.confirm"


def payment_id_of(session: Session, reference: str) -> str:
    """The id of the payment with this reference, whether it exists or not."""
    return derive_id(Kind.PAYMENT, session.scope, session.environment, reference)


class AttemptSteps(OperationSteps):
    """Attempts to be paid."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._holds = HoldSteps(session)
        self._actions = ActionSteps(session)

    # -- create ---------------------------------------------------------------------------------

    def create(
        self, *, reference: str, attempt: int, confirm: bool, given: asked.Given
    ) -> Steps[PaymentIntent]:
        """See `Payments.create`."""
        reference = checked_reference(reference, operation=_CREATE)
        checker = Checker(_CREATE, self._session.spec.limits, reference)
        number = checker.attempt(attempt)
        checker.flag(confirm, "confirm")
        terms = asked.terms_from(given, checker)
        hints = asked.checked_hints(given.country, given.method, checker)
        if confirm and terms.payment_method is None:
            raise checker.refused("payment_method", "is needed to confirm: pass a token")
        if number == 1:
            return self._created(reference, terms, hints, confirm=confirm)
        if not confirm:
            raise checker.refused("confirm", "another attempt is confirmed at once: confirm=True")
        return self._tried_again(reference, number, terms, hints)

    def _created(
        self, reference: str, terms: Terms, hints: asked.Hints, *, confirm: bool
    ) -> Steps[PaymentIntent]:
        payment_id = payment_id_of(self._session, reference)
        command = CreatePayment(
            payment_id=payment_id, reference=reference, attempt=1, terms=terms, confirm=confirm
        )
        refusal = _refusal(self._session.spec, command)
        if refusal is not None:
            raise refusal

        def begin(beginning: Beginning) -> Begun:
            stored = beginning.stored
            if stored is not None:
                _check_untouched(stored)
            intent = stored or self._new(command, beginning)
            return Begun(
                intent=intent, command=command, send=not _is_local(beginning.spec, command)
            )

        plan = Plan(
            identity=self._identity(Operation.CREATE_PAYMENT, payment_id),
            payment_id=payment_id,
            fingerprint=fingerprint({**asked.parameters(terms), "confirm": confirm}),
            named=_CREATE,
            reference=reference,
            begin=begin,
            makes_payment=True,
            asked=_asked_of(command, hints, command.terms),
        )
        return self._carried_out(plan)

    def _new(self, command: CreatePayment, beginning: Beginning) -> PaymentIntent:
        terms = command.terms
        return PaymentIntent(
            id=command.payment_id,
            reference=command.reference,
            scope=self._session.scope,
            environment=self._session.environment,
            provider=beginning.spec.name,
            account=beginning.account.id,
            amount=terms.amount,
            capture_method=terms.capture_method,
            has_payment_method=terms.payment_method is not None,
            description=terms.description,
            metadata=terms.metadata,
            created_at=beginning.now,
        )

    # -- confirm, and further attempts ----------------------------------------------------------

    def confirm(
        self,
        payment: str,
        *,
        payment_method: str | None,
        return_url: str | None,
        off_session: bool | None,
        attempt: int | None,
        action_result: Mapping[str, str] | None,
        hints: tuple[str | None, str | None],
    ) -> Steps[PaymentIntent]:
        """See `Payments.confirm`."""
        payment_id = check_id(payment, Kind.PAYMENT, operation=_CONFIRM, field="payment")
        checker = Checker(_CONFIRM, self._session.spec.limits, payment_id)
        if action_result is not None:
            said = (payment_method, return_url, off_session, attempt, *hints)
            if said != (None,) * len(said):
                raise checker.refused("action_result", "says all there is: pass nothing beside it")
            brought = checker.action_result(action_result)
            return self._actions.acted(payment_id, brought)
        given = asked.TryTerms(
            payment_method=checker.token(payment_method, "payment_method"),
            return_url=checker.url(return_url, "return_url"),
            off_session=None if off_session is None else checker.flag(off_session, "off_session"),
        )
        number = None if attempt is None else checker.attempt(attempt)
        return self._confirmed(payment_id, number, given, asked.checked_hints(*hints, checker))

    def _confirmed(
        self, payment_id: str, number: int | None, given: asked.TryTerms, hints: asked.Hints
    ) -> Steps[PaymentIntent]:
        intent, first = yield from transact(lambda tx: self._first_terms(tx, payment_id, _CONFIRM))
        if given.off_session is None and first is not None:
            # What is not said is as it was said first; so that saying otherwise later is seen.
            given = replace(given, off_session=first.off_session)
        attempt = intent.attempt if number is None else number
        plan = self._try_plan(intent, first, given, number=attempt, named=_CONFIRM, hints=hints)
        yield from self._voided(intent, plan)
        return (yield from self._carried_out(plan))

    def _tried_again(
        self, reference: str, number: int, terms: Terms, hints: asked.Hints
    ) -> Steps[PaymentIntent]:
        """A later attempt by `create`: the same payment, perhaps by another method."""
        payment_id = payment_id_of(self._session, reference)
        intent, first = yield from transact(lambda tx: self._first_terms(tx, payment_id, _CREATE))
        fixed = asked.fixed_parameters(terms)
        if first is not None and fixed != asked.fixed_parameters(first):
            raise IdempotencyConflict(
                "another attempt pays for the same thing: amount, currency, capture method, "
                "customer and texts are those of the first. Nothing was sent.",
                operation=_CREATE,
                reference=reference,
            )
        plan = self._try_plan(
            intent, first, asked.try_terms(terms), number=number, named=_CREATE, hints=hints
        )
        yield from self._voided(intent, plan)
        return (yield from self._carried_out(plan))

    def _try_plan(
        self,
        known: PaymentIntent,
        first: Terms | None,
        given: asked.TryTerms,
        *,
        number: int,
        named: str,
        hints: asked.Hints,
    ) -> Plan:
        payment_id, reference = known.id, known.reference

        def begin(beginning: Beginning) -> Begun:
            stored = self._session.owned(beginning.stored, reference, named)
            intent = _numbered(stored, number, named)
            _, first = self._first_terms(beginning.tx, payment_id, named)
            terms = asked.merged(first or asked.terms_of(intent), given)
            if terms.payment_method is None and not _has_object(intent):
                message = "is needed to confirm: pass a token"
                raise InvalidRequest(
                    message, operation=named, reference=reference, field="payment_method"
                )
            command = ConfirmPayment(
                payment_id=payment_id,
                reference=reference,
                attempt=number,
                payment_ref=_reusable_ref(intent, beginning.spec),
                terms=terms,
            )
            told = intent.has_payment_method or terms.payment_method is not None
            return Begun(intent=intent.evolve(has_payment_method=told), command=command)

        terms = asked.merged(first or asked.terms_of(known), given)
        command = ConfirmPayment(
            payment_id=payment_id,
            reference=reference,
            attempt=number,
            payment_ref=None,
            terms=terms,
        )
        return Plan(
            identity=self._identity(Operation.CONFIRM_PAYMENT, payment_id, attempt=number),
            payment_id=payment_id,
            fingerprint=fingerprint(asked.try_parameters(given)),
            named=named,
            reference=reference,
            begin=begin,
            asked=_asked_of(command, hints, given),
        )

    def _voided(self, intent: PaymentIntent, plan: Plan) -> Steps[None]:
        """
        End the object of the attempt before, where it could still be confirmed by somebody and this
        attempt cannot use it: two chargeable objects for one order must never exist.
        """
        latest, asked_now = intent.latest_attempt, plan.asked
        if latest is None or latest.status is not AttemptStatus.DECLINED or asked_now is None:
            return
        if plan.identity.attempt != intent.attempt + 1:
            return
        spec = self._session.at(intent, plan.named).spec
        usable = spec.has(Capability.RECONFIRM)
        if usable:
            usable = not (yield from self._session.goes_elsewhere(intent, plan.identity, asked_now))
        if spec.has(Capability.CREATE_UNCONFIRMED) and not usable:
            yield from self._holds.voided(intent, plan.named)


def _is_local(spec: ProviderSpec, command: CreatePayment) -> bool:
    """Whether the provider keeps nothing before the first confirmation, so nothing is sent."""
    return not command.confirm and not spec.has(Capability.CREATE_UNCONFIRMED)


def _refusal(spec: ProviderSpec, command: CreatePayment | ConfirmPayment) -> PayportError | None:
    """Why a provider could not carry the command out."""
    if isinstance(command, CreatePayment) and _is_local(spec, command):
        return None
    try:
        spec.check(command)
    except (UnsupportedOperation, InvalidRequest) as error:
        return error
    return None


def _asked_of(
    command: CreatePayment | ConfirmPayment, hints: asked.Hints, given: Terms | asked.TryTerms
) -> Asked:
    """What decides about the provider. Of tokens only those that are said now."""
    terms = command.terms
    tokens = (given.payment_method, terms.customer)
    return Asked(
        reference=command.reference,
        amount=terms.amount,
        country=hints.country,
        method=hints.method,
        metadata=terms.metadata,
        attempt=command.attempt,
        tokens=tuple(token for token in tokens if token is not None),
        cannot=lambda spec: _refusal(spec, command),
    )


def _reusable_ref(intent: PaymentIntent, spec: ProviderSpec) -> str | None:
    """The provider's object to confirm, or None where a new one has to be made."""
    latest = intent.latest_attempt
    if latest is None or latest.ref == intent.id:
        return None
    if intent.home_of(latest.ref) != (intent.provider, intent.account):
        return None  # another provider's, where the payment was before
    if latest.status in _UNCONFIRMED:
        return latest.ref
    again = spec.has(Capability.RECONFIRM)
    return latest.ref if again and latest.status is AttemptStatus.DECLINED else None


_UNCONFIRMED = frozenset(
    {AttemptStatus.REQUIRES_PAYMENT_METHOD, AttemptStatus.REQUIRES_CONFIRMATION}
)
_SPENT = frozenset(
    {
        AttemptStatus.DECLINED,
        AttemptStatus.FAILED,
        AttemptStatus.CANCELED,
        AttemptStatus.EXPIRED,
    }
)


def _check_untouched(intent: PaymentIntent) -> None:
    """
    Refuse to send a payment's first request again after others went on with the payment.

    Raises:
        InvalidTransition: There is another attempt, or something of it at the provider.
    """
    if intent.attempt > 1 or intent.attempts or intent.in_flight or intent.unresolved:
        raise InvalidTransition(
            f"the first request had no effect, and others went on with the payment since: it is "
            f"{intent.status}. Read it with payments.get.",
            operation=_CREATE,
            reference=intent.reference,
            provider=intent.provider,
        )


def _numbered(intent: PaymentIntent, number: int, named: str) -> PaymentIntent:
    """The payment with this attempt begun, if its state allows one."""
    if number != intent.attempt:
        check_attempt(intent, number)
        return intent.evolve(attempt=number)
    tried = [a for a in intent.attempts if (a.number or 1) >= number]
    if number > 1 and not tried:
        # It was begun before, and nothing came of it: what it has to wait for is as it was then.
        check_attempt(intent.evolve(attempt=number - 1), number)
        return intent
    if any(a.status in _SPENT for a in tried) and intent.status is not PaymentStatus.SUCCEEDED:
        raise InvalidRequest(
            f"attempt {number} is over: pass attempt={number + 1} to try again",
            operation=named,
            reference=intent.reference,
            field="attempt",
        )
    check_confirm(intent)
    return intent


def _has_object(intent: PaymentIntent) -> bool:
    """Whether the provider has an object that remembers a payment method."""
    latest = intent.latest_attempt
    return latest is not None and latest.status is AttemptStatus.REQUIRES_CONFIRMATION
