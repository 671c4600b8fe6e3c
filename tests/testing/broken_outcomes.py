"""Providers with one mistake each in what they do and tell: keys, certainty, money, effects."""

# -- keys ----------------------------------------------------------------------------------------


class IgnoresKeys(FakeAdapter):
    def _changes(self, operation, target, fields, key):
        return passed(
            super()._changes(operation, target, fields, key), lambda one: replace(one, key=None)
        )


class CutsKeys(FakeAdapter):
    def _changes(self, operation, target, fields, key):
        return super()._changes(operation, target, {**fields, "tag": key[:40]}, key[:40])


class PutsKeysElsewhere(FakeAdapter):
    def _changes(self, operation, target, fields, key):
        return passed(
            super()._changes(operation, target, fields, key),
            lambda one: replace(one, key=one.key[::-1] if one.key else None),
        )


class AcceptsAnotherBodyUnderAKey(FakeProvider):
    """Remembers its own answers, and looks at the key alone."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._answers: dict[str, Answer] = {}

    def _run(self, exchange, call):
        if call.key in self._answers:
            exchange.close()
            return self._answers[call.key]
        outcome = super()._run(exchange, call)
        if call.key and isinstance(outcome, Answer):
            self._answers[call.key] = outcome
        return outcome


class DatesReplaysAsNow(FakeAdapter):
    def _changes(self, operation, target, fields, key):
        def dated(answer):
            at = getattr(answer, "provider_time", None)
            return refacted(
                answer, lambda facts: each_fact(facts, lambda fact: replace(fact, at=at or fact.at))
            )

        return passed(super()._changes(operation, target, fields, key), outcome=dated)


class HidesReplays(FakeAdapter):
    def _changes(self, operation, target, fields, key):
        def hidden(outcome):
            return replace(outcome, replayed=False) if isinstance(outcome, Answer) else outcome

        return passed(super()._changes(operation, target, fields, key), outcome=hidden)


class CallsAUsedKeyARejection(FakeAdapter):
    def _changes(self, operation, target, fields, key):
        def classified(outcome):
            used = isinstance(outcome, Failure) and outcome.kind is FailureKind.KEY_REUSED
            return replace(outcome, kind=FailureKind.INVALID_REQUEST) if used else outcome

        return passed(super()._changes(operation, target, fields, key), outcome=classified)


# -- certainty -----------------------------------------------------------------------------------


class MapsUnknownToFailed(FakeAdapter):
    """What is not understood is told as a failed payment."""

    def create_payment(self, command, key):
        def told(outcome):
            unknown = isinstance(outcome, Failure) and outcome.kind is FailureKind.UNKNOWN
            status = AttemptStatus.FAILED
            return made_up(command, key, status) if unknown else outcome

        return passed(super().create_payment(command, key), outcome=told)


class CallsUnheardOfWordsFailed(FakeAdapter):
    def parse_webhook(self, request, *, now):
        def guessed(fact):
            unknown = fact.status == "unknown"
            failed = CaptureStatus.FAILED if isinstance(fact, CaptureFact) else AttemptStatus.FAILED
            return replace(fact, status=failed) if unknown else fact

        told = super().parse_webhook(request, now=now)
        return tuple(
            replace(d, facts=each_fact(d.facts, guessed)) if d.facts is not None else d for d in told
        )


class TreatsServerErrorsAsDeclines(FakeAdapter):
    def create_payment(self, command, key):
        status = None

        def seen(response):
            nonlocal status
            status = response.status
            return response

        def told(outcome):
            broken = isinstance(outcome, Failure) and status in {500, 502, 504}
            return made_up(command, key, AttemptStatus.DECLINED) if broken else outcome

        return passed(super().create_payment(command, key), response=seen, outcome=told)


class GuessesSuccess(FakeProvider):
    """After a lost response: 'it usually works'."""

    def create_payment(self, command, call):
        outcome = super().create_payment(command, call)
        if isinstance(outcome, Failure) and isinstance(outcome.cause, TransportError):
            return made_up(command, call.key or "", AttemptStatus.SUCCEEDED)
        return outcome


class TakesTheLastError(FakeProvider):
    """Sends again by itself and reports how the last send ended."""

    def create_payment(self, command, call):
        outcome = super().create_payment(command, call)
        return super().create_payment(command, call) if isinstance(outcome, Failure) else outcome


class ForgetsWhatWasAnswered(FakeProvider):
    """Two requests for one operation, and only the second one counts."""

    def create_payment(self, command, call):
        if not command.confirm or not self.spec.has(Capability.CREATE_UNCONFIRMED):
            return super().create_payment(command, call)
        first = super().create_payment(replace(command, confirm=False), call)
        if not isinstance(first, Answer):
            return first
        target = f"/payments/{first.facts.attempt_ref}/confirm"
        fields = {
            "tag": call.key,
            "amount": command.terms.amount.minor,
            "currency": command.terms.amount.currency,
            "reference": command.reference,
            "attempt": command.attempt,
            "manual": False,
        }
        second = self.adapter._changes(Operation.CREATE_PAYMENT, target, fields, f"{call.key}_2")
        try:
            return run(second, lambda one: self._send(one, timeout=call.timeout))
        except TransportError as error:
            kind = FailureKind.UNKNOWN if error.sent else FailureKind.UNAVAILABLE
            return Failure(kind=kind, message="no")


class BelievesPages(FakeAdapter):
    """A 400 is a rejection, whoever answered it."""

    def _changes(self, operation, target, fields, key):
        status = None

        def seen(response):
            nonlocal status
            status = response.status
            return response

        def told(outcome):
            rejected = isinstance(outcome, Failure) and status == 400
            return replace(outcome, kind=FailureKind.INVALID_REQUEST) if rejected else outcome

        return passed(super()._changes(operation, target, fields, key), response=seen, outcome=told)


class RaisesInsteadOfTelling(FakeProvider):
    def _run(self, exchange, call):
        return run(exchange, lambda one: self._send(one, timeout=call.timeout))


class CatchesEverything(FakeProvider):
    """Also what is no error: that its own process ends."""

    def create_payment(self, command, call):
        try:
            return super().create_payment(command, call)
        except BaseException as error:  # noqa: BLE001 - the mistake
            return Failure(kind=FailureKind.UNAVAILABLE, message="caught", cause=error)


class FindsUntagged(FakeAdapter):
    """What has the right amount will be the one."""

    bank: Any

    def find(self, lookup):
        def same(outcome):
            found = [
                refund.ref
                for refund in self.bank.refunds
                if isinstance(outcome, Failure)
                and lookup.command.operation is Operation.CREATE_REFUND
                and refund.amount == lookup.command.amount.minor
            ]
            if not found:
                return outcome
            return Answer(facts=Facts(attempt_ref=lookup.payment_ref, tag=lookup.key))

        return passed(super().find(lookup), outcome=same)


def finding_untagged(**options: Any) -> FakeProvider:
    made = with_adapter(FindsUntagged)(**options)
    made.adapter.bank = made.bank
    return made


class CallsAbsenceARejection(FakeAdapter):
    def find(self, lookup):
        def told(outcome):
            absent = isinstance(outcome, Failure) and outcome.kind is FailureKind.NOT_FOUND
            return replace(outcome, kind=FailureKind.INVALID_REQUEST) if absent else outcome

        return passed(super().find(lookup), outcome=told)


# -- money and effects ---------------------------------------------------------------------------


class DropsTheCurrency(FakeAdapter):
    def _changes(self, operation, target, fields, key):
        def in_dollars(fact):
            if isinstance(fact, AttemptFact):
                return replace(fact, authorized=Money(fact.authorized.minor, "USD"))
            return replace(fact, amount=Money(fact.amount.minor, "USD"))

        return passed(
            super()._changes(operation, target, fields, key),
            outcome=lambda one: refacted(one, lambda facts: each_fact(facts, in_dollars)),
        )


class CountsEverythingInCents(FakeAdapter):
    """Sends yen as if they had a hundred parts."""

    def create_payment(self, command, key):
        minor = command.terms.amount.minor * 10 ** (2 - command.terms.amount.exponent)
        return passed(
            super().create_payment(command, key),
            lambda one: body_changed(one, amount=int(minor)),
        )


class CountsInFloats(FakeAdapter):
    def create_payment(self, command, key):
        major = round(command.terms.amount.minor / 100)
        return passed(
            super().create_payment(command, key),
            lambda one: body_changed(one, amount=major * 100),
        )


class ReportsRefundsThatWereRefused(FakeAdapter):
    """A refund that was accepted by us was accepted."""

    def create_refund(self, command, key):
        def told(outcome):
            if not isinstance(outcome, Failure) or outcome.kind is not FailureKind.INVALID_REQUEST:
                return outcome
            return Answer(facts=_refund_facts(command, key, f"guess_{key[-8:]}"))

        return passed(super().create_refund(command, key), outcome=told)


class MergesEqualRefunds(FakeAdapter):
    """Names a refund after what it gives back."""

    def create_refund(self, command, key):
        def named(facts):
            amount = command.amount.minor
            refunds = tuple(replace(r, ref=f"refund_{amount}") for r in facts.refunds)
            return replace(facts, refunds=refunds)

        return passed(
            super().create_refund(command, key), outcome=lambda one: refacted(one, named)
        )


class ForgetsTheTag(FakeAdapter):
    def _changes(self, operation, target, fields, key):
        return passed(
            super()._changes(operation, target, fields, key),
            lambda one: body_changed(one, tag=None),
        )


class MakesASecondObject(FakeAdapter):
    """Confirms by paying anew."""

    def confirm_payment(self, command, key):
        return super().confirm_payment(replace(command, payment_ref=None), key)


class CapturesEverything(FakeAdapter):
    def capture_payment(self, command, key):
        return passed(
            super().capture_payment(command, key), lambda one: body_changed(one, final=True)
        )


class ForgetsTheDecline(FakeAdapter):
    def create_payment(self, command, key):
        def plain(fact):
            declined = isinstance(fact, AttemptFact) and fact.decline is not None
            general = Decline.of(DeclineReason.GENERIC)
            return replace(fact, decline=general) if declined else fact

        return passed(
            super().create_payment(command, key),
            outcome=lambda one: refacted(one, lambda facts: each_fact(facts, plain)),
        )


class DoesNotRank(FakeAdapter):
    """Leaves the order of what happened within a second to chance."""

    def parse_webhook(self, request, *, now):
        told = super().parse_webhook(request, now=now)
        return tuple(
            replace(d, facts=each_fact(d.facts, lambda fact: replace(fact, rank=0)))
            if d.facts is not None
            else d
            for d in told
        )


