"""
A session of several providers: each operation is carried out by one of them, decided once.

What is decided is committed with the operation and replayed by whoever finds its row, whatever the
rules say by then. Another provider takes an operation only while nothing of it was ever sent, and
only in the transaction that takes it away from the one before. What was sent, or may have been,
stays where it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NoReturn

from payport.domain.errors import ConfigurationError, InvalidRequest, OperationInProgress
from payport.domain.facts import AttemptStatus
from payport.domain.outcomes import FailureKind
from payport.operations.concluding import Concluding
from payport.operations.plan import Concluded, Deadline, Elsewhere, Plan, Route
from payport.operations.records import OperationState
from payport.operations.session import Session
from payport.operations.steps import Steps, transact
from payport.providers.outcomes import Failure
from payport.providers.spec import Capability

if TYPE_CHECKING:
    from payport.domain.errors import PayportError
    from payport.domain.payment_intent import PaymentIntent
    from payport.operations.gate import Gate
    from payport.operations.plan import JournalSettings
    from payport.operations.records import Identity, OperationRecord
    from payport.providers.deliveries import ReceivesWebhooks
    from payport.providers.routing.router import AsyncRouter, Router
    from payport.providers.routing.rules import Asked, Candidate
    from payport.providers.spec import ProviderSpec
    from payport.storage.base import Transaction
    from payport.webhooks.handlers import Handlers

__all__ = ["RoutedSession", "has_nothing_to_charge"]

#: What lets another provider have its turn, where nothing was sent. The rate limit of our own does
#: not: who has to wait for a turn is well.
_MOVES_ON: Final = frozenset({FailureKind.CIRCUIT_OPEN, FailureKind.UNAVAILABLE})
#: How often an operation may turn out to be elsewhere, by others who move it, until a caller is
#: told that it is being carried out.
_MOST: Final = 10

#: Objects that nobody can charge any more.
_OVER: Final = frozenset({AttemptStatus.CANCELED, AttemptStatus.EXPIRED})
#: Objects that some providers let be tried again.
_REFUSED: Final = frozenset({AttemptStatus.DECLINED, AttemptStatus.FAILED})


@dataclass(frozen=True, slots=True)
class _Found:
    """What the store has of an operation and its payment."""

    record: OperationRecord | None
    intent: PaymentIntent | None


class RoutedSession(Session):
    """
    One scope of a client with a router.

    Args:
        settings: By provider: they differ in the rate limit.
    """

    def __init__(
        self,
        *,
        settings: Mapping[str, JournalSettings],
        router: Router | AsyncRouter,
        handlers: Handlers,
        lines: Mapping[str, Session] | None = None,
    ) -> None:
        # Not the parent's: nothing is sent but by a line.
        self.settings: JournalSettings = next(iter(settings.values()))
        self.handlers = handlers
        self._each = settings
        self._router = router
        providers: Mapping[str, Any] = router.providers
        self._lines: Mapping[str, Session] = lines or {
            name: Session(settings=settings[name], provider=provider, handlers=handlers)
            for name, provider in providers.items()
        }
        self._concluding = Concluding(self.settings)

    @property
    def spec(self) -> ProviderSpec:
        """What some of the providers can do; each refuses for itself what it lacks."""
        return self._router.spec

    @property
    def concluding(self) -> Concluding:
        """See `Session.concluding`."""
        return self._concluding

    def scoped(self, scope: str) -> RoutedSession:
        """See `Session.scoped`."""
        return RoutedSession(
            settings={name: replace(one, scope=scope) for name, one in self._each.items()},
            router=self._router,
            handlers=self.handlers,
            lines={name: line.scoped(scope) for name, line in self._lines.items()},
        )

    # -- lines ----------------------------------------------------------------------------------

    @property
    def lines(self) -> Sequence[Session]:
        """See `Session.lines`."""
        return tuple(self._lines.values())

    def line(self, provider: str | None, operation: str) -> Session:
        """See `Session.line`."""
        if provider is not None and provider in self._lines:
            return self._lines[provider]
        known = ", ".join(self._lines)
        why = "name the provider" if provider is None else f"there is no provider {provider!r}"
        message = f"{why}: this client has {known}"
        raise InvalidRequest(message, operation=operation, field="provider")

    def at(self, intent: PaymentIntent, operation: str, ref: str | None = None) -> Session:
        """See `Session.at`."""
        provider, account = (
            (intent.provider, intent.account) if ref is None else intent.home_of(ref)
        )
        return self._line_of(provider, account, operation, intent.reference)

    def _line_of(self, provider: str, account: str, operation: str, reference: str) -> Session:
        if provider not in self._lines:
            raise ConfigurationError(
                f"it is at {provider} account {account}, and this client has no such provider. "
                "Nothing was sent: add it to the router; without a rule it only finishes what it "
                "began.",
                operation=operation,
                reference=reference,
            )
        return self._lines[provider]

    def at_home(self, intent: PaymentIntent, operation: str) -> Steps[None]:
        """See `Session.at_home`."""
        return self.at(intent, operation).at_home(intent, operation)

    @property
    def gate(self) -> Gate:  # type: ignore[override]
        """Refused: each provider has its own."""
        self._name_one("gate")

    @property
    def known_account(self) -> str | None:
        """Refused: each provider has its own."""
        self._name_one("account")

    def webhooks(self, operation: str) -> ReceivesWebhooks:
        """Refused: each provider has its own."""
        self.line(None, operation)
        self._name_one(operation)

    def _name_one(self, what: str) -> NoReturn:
        known = ", ".join(self._lines)
        message = f"each provider has its own; there are {known}"
        raise ConfigurationError(message, operation="Router", field=what)

    # -- operations -----------------------------------------------------------------------------

    def execute(self, plan: Plan) -> Steps[Concluded]:
        """
        Carry the plan out at the provider that has it, or is decided to have it.

        Raises:
            ConfigurationError: It is at a provider that this client has not, and stays there.
            OperationInProgress: Others carry it out, and moved it all the time.
            UnsupportedOperation, InvalidRequest: No provider that may have it can carry it out.
        """
        deadline = Deadline(self.settings.clock, self.settings.deadline)
        for _ in range(_MOST):
            found = yield from transact(lambda tx: _found(tx, plan))
            known = yield from self._known(plan, found)
            if known is not None:
                return known
            candidates = self._candidates(plan, found)
            try:
                return (yield from self._taken(plan, found, candidates, deadline))
            except Elsewhere as elsewhere:
                if found == (yield from transact(lambda tx: _found(tx, plan))):
                    raise elsewhere from None
        raise OperationInProgress(operation=plan.named, reference=plan.reference)

    def _known(self, plan: Plan, found: _Found) -> Steps[Concluded | None]:
        """How it was concluded, if it was: for this its provider need not be here any more."""
        if found.record is None:
            return None
        return (yield from self.lines[0].journal.known(plan))

    def _candidates(self, plan: Plan, found: _Found) -> list[Candidate]:
        """Who may carry it out, in order; whoever has it already comes first."""
        home = self._home(plan, found)
        if home is None:
            asked = plan.asked
            if asked is None:
                return [_stay(self.lines[0].spec.name)]  # there is no payment: it will refuse
            return self._able(self._router.decide(asked), asked)
        name, account = home
        if self._may_leave(plan, found):
            return self._ordered(plan, name, found)
        self._line_of(name, account, plan.named, plan.reference)
        if found.record is None and not self._knows_tokens(name, plan.asked):
            raise self._foreign_token(name, plan)
        return [_stay(name)]

    def _knows_tokens(self, name: str, asked: Asked | None) -> bool:
        """Whether the tokens may be this provider's."""
        owners = [self._router.owners_of(token) for token in (asked.tokens if asked else ())]
        return all(name in known for known in owners if known)

    def _foreign_token(self, name: str, plan: Plan) -> InvalidRequest:
        return InvalidRequest(
            f"the payment method or customer is saved at another provider, and the payment is at "
            f"{name}, where it stays. Nothing was sent.",
            operation=plan.named,
            reference=plan.reference,
            field="payment_method",
        )

    def _home(self, plan: Plan, found: _Found) -> tuple[str, str] | None:
        """The provider and account that have the operation, or the payment that it is on."""
        record, intent = found.record, found.intent
        if record is not None:
            return record.provider, record.account
        if intent is None:
            return None
        ref = plan.held_by(intent)
        return (intent.provider, intent.account) if ref is None else intent.home_of(ref)

    def _may_leave(self, plan: Plan, found: _Found) -> bool:
        """Whether, by what was read, another provider might take it: the lock decides later."""
        if plan.asked is None or (found.record is not None and not found.record.was_never_sent):
            return False
        return found.intent is None or self._is_free(found.intent, found.record)

    def _is_free(self, intent: PaymentIntent, record: OperationRecord | None) -> bool:
        line = self._lines.get(intent.provider)
        own = frozenset({record.key}) if record is not None else frozenset[str]()
        return has_nothing_to_charge(intent, line.spec if line is not None else None, own)

    def _ordered(self, plan: Plan, home: str, found: _Found) -> list[Candidate]:
        """
        Of a decided operation its provider first, then the others; of a new further attempt first
        those that a rule for further attempts names.
        """
        asked = plan.asked
        assert asked is not None  # noqa: S101 - `_may_leave` said so
        stays = home in self._lines and (
            found.record is not None or self._knows_tokens(home, asked)
        )
        stay = [_stay(home)] if stays else []
        first = self._router.decide(asked) if asked.attempt > 1 and found.record is None else ()
        rest = self._router.others(asked)
        known: dict[str, Candidate] = {}
        for candidate in (*first, *stay, *rest):
            known.setdefault(candidate.name, candidate)
        able = self._able(list(known.values()), asked)
        if home not in self._lines:
            gone = f"{home}, where it was, is not here any more and can charge nothing of it"
            return [one._replace(reason=f"{gone}; {one.reason}") for one in able]
        return able

    def _able(self, candidates: Sequence[Candidate], asked: Asked) -> list[Candidate]:
        """
        Those that can carry it out, each with why the ones before it cannot.

        Raises:
            UnsupportedOperation, InvalidRequest: None can; why the first one cannot.
        """
        able: list[Candidate] = []
        cannot: list[str] = []
        first: PayportError | None = None
        for candidate in candidates:
            error = asked.cannot(self._lines[candidate.name].spec)
            if error is None:
                passed = "".join(f"{why}; " for why in cannot)
                able.append(candidate._replace(reason=f"{passed}{candidate.reason}"))
                cannot = []
            else:
                first = first or error
                cannot.append(f"not {candidate.name}, which cannot: {error.message}")
        if not able and first is not None:
            raise first
        return able

    def _taken(
        self, plan: Plan, found: _Found, candidates: Sequence[Candidate], deadline: Deadline
    ) -> Steps[Concluded]:
        """Carried out by the first candidate that anything can be sent to."""
        passed = ""
        known = found.record is not None or found.intent is not None
        for number, candidate in enumerate(candidates, 1):
            line = self._lines[candidate.name]
            more = number < len(candidates)
            route = Route(
                reason=f"{candidate.name}: {passed}{candidate.reason}",
                is_one_of_several=more,
                is_known=known,
                may_take=lambda intent: self._is_free(intent, None),
            )
            # Asked before anything is written, and before a turn is waited for.
            shut = line.gate.breaker.refusal() if more else None
            account = shut or (yield from line.told_account())
            if isinstance(account, Failure):
                if not (more and _lets_move_on(account)):
                    raise line.fault(account, plan.named, plan.reference) from account.cause
                passed += f"{_unsent(candidate.name, account)}; "
                continue
            concluded = yield from line.journal.execute(plan, account, route, deadline)
            known = True
            failure = concluded.failure
            if not (more and failure and _left_unsent(concluded) and deadline.remaining() > 0):
                return concluded
            passed += f"{_unsent(candidate.name, failure)}; "
        raise AssertionError("a plan has at least one candidate")  # pragma: no cover

    # -- further attempts -----------------------------------------------------------------------

    def goes_elsewhere(
        self, intent: PaymentIntent, identity: Identity, asked: Asked
    ) -> Steps[bool]:
        """See `Session.goes_elsewhere`."""
        record = yield from transact(lambda tx: tx.operation(identity.id))
        decided = self._router.decide(asked) if record is None else ()
        able = self._able(decided, asked)
        return bool(able) and able[0].name != intent.provider


def has_nothing_to_charge(
    intent: PaymentIntent, spec: ProviderSpec | None, own: frozenset[str] = frozenset()
) -> bool:
    """
    Whether nothing of the payment can be charged, or might be, at the provider that it is at.

    Args:
        spec: Of that provider; None where it is not here, and so cannot be asked to end anything.
        own: Keys of operations that do not count.
    """
    if {*intent.in_flight, *intent.unresolved} - own:
        return False
    if intent.captured.minor or intent.capture_pending.minor or intent.authorized.minor:
        return False
    return all(_is_over(intent, attempt.ref, attempt.status, spec) for attempt in intent.attempts)


def _is_over(
    intent: PaymentIntent, ref: str, status: AttemptStatus, spec: ProviderSpec | None
) -> bool:
    """Whether an attempt's object can be charged no more."""
    if status in _OVER or ref == intent.id:
        return True
    if intent.home_of(ref) != (intent.provider, intent.account):
        return True  # it was when the payment left
    if status not in _REFUSED or spec is None:
        return False
    # Where objects stand before they are confirmed, one that was declined stands there again.
    return not (spec.has(Capability.RECONFIRM) or spec.has(Capability.CREATE_UNCONFIRMED))


def _found(tx: Transaction, plan: Plan) -> _Found:
    return _Found(tx.operation(plan.identity.id), tx.payment(plan.payment_id))


def _stay(name: str) -> Candidate:
    from payport.providers.routing.rules import Candidate  # noqa: PLC0415 - only a router has any

    return Candidate(name, "the payment is there")


def _lets_move_on(failure: Failure) -> bool:
    return failure.unsent and failure.kind in _MOVES_ON


def _left_unsent(concluded: Concluded) -> bool:
    """Whether the operation is proven never to have been sent, in this process or any other."""
    record, failure = concluded.record, concluded.failure
    return (
        failure is not None
        and _lets_move_on(failure)
        and record.state is OperationState.NO_EFFECT
        and record.was_never_sent
    )


def _unsent(name: str, failure: Failure) -> str:
    why = "its breaker is open" if failure.kind is FailureKind.CIRCUIT_OPEN else failure.message
    return f"nothing was sent to {name} ({why})"
