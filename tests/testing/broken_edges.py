"""Providers with one mistake each at their edges: sending, webhooks, secrets, declarations."""

# -- sending -------------------------------------------------------------------------------------


class RendersDifferently(FakeAdapter):
    drawn = itertools.count()

    def _changes(self, operation, target, fields, key):
        return super()._changes(operation, target, {**fields, "nonce": next(self.drawn)}, key)


class SendsOtherThanItRenders(FakeProvider):
    def create_payment(self, command, call):
        described = replace(command.terms, description="made by a better renderer")
        return super().create_payment(replace(command, terms=described), call)


class PutsTheKeyIntoTheRequest(FakeProvider):
    def render(self, command, key):
        from payport.domain.frozen import FrozenMapping

        secret = self._setup.api_key.reveal()
        return replace(
            super().render(command, key), headers=FrozenMapping({"authorization": secret})
        )


class IgnoresTheGuard(FakeProvider):
    def _run(self, exchange, call):
        return super()._run(exchange, replace(call, guard=lambda: None))


class AsyncIgnoresTheGuard(AsyncFakeProvider):
    async def _run(self, exchange, call):
        return await super()._run(exchange, replace(call, guard=lambda: None))


class IgnoresStoredRequests(FakeProvider):
    def _run(self, exchange, call):
        return super()._run(exchange, replace(call, exact=None))


class IsImpatient(FakeProvider):
    """Its own time-out, whatever it is told."""

    def _run(self, exchange, call):
        return super()._run(exchange, replace(call, timeout=60.0))


# -- webhooks ------------------------------------------------------------------------------------


class AcceptsAnySignature(FakeAdapter):
    def parse_webhook(self, request, *, now):
        try:
            return reading.deliveries_from(json.loads(request.body))
        except (ValueError, TypeError, RecursionError) as error:
            raise WebhookRejected(operation="webhooks.receive") from error


class AcceptsOldSignatures(FakeAdapter):
    def parse_webhook(self, request, *, now):
        told = (request.header(SIGNATURE_HEADER) or "").partition("t=")[2].partition(",")[0]
        with contextlib.suppress(ValueError, OverflowError, OSError):
            now = type(now).fromtimestamp(int(told), now.tzinfo)
        return super().parse_webhook(request, now=now)


class StumblesOverBodies(FakeAdapter):
    def parse_webhook(self, request, *, now):
        return reading.deliveries_from(
            {**json.loads(request.body), **reading.verified(request, self._webhook_secrets, now)}
        )


class SwallowsUnknownEvents(FakeAdapter):
    def parse_webhook(self, request, *, now):
        told = super().parse_webhook(request, now=now)
        return tuple(delivery for delivery in told if delivery.facts is not None)


class SkipsWhatItCannotRead(FakeAdapter):
    """Of a batch it takes what it understands, and acknowledges the rest as well."""

    def parse_webhook(self, request, *, now):
        envelope = reading.verified(request, self._webhook_secrets, now)
        told = []
        for item in envelope.get("items", [envelope]):
            with contextlib.suppress(WebhookRejected):
                told.extend(reading.deliveries_from({**envelope, "items": [item]}))
        return tuple(told)


class CountsDeliveries(FakeAdapter):
    """A dedupe key that differs whenever it is delivered."""

    drawn = itertools.count()

    def parse_webhook(self, request, *, now):
        told = super().parse_webhook(request, now=now)
        return tuple(replace(d, dedupe_key=f"{d.dedupe_key}{next(self.drawn)}") for d in told)


class TakesAPaymentForAStatement(FakeAdapter):
    """A dedupe key that is the payment's id: its second statement is a duplicate of the first."""

    def parse_webhook(self, request, *, now):
        told = super().parse_webhook(request, now=now)
        return tuple(replace(d, dedupe_key=d.ordering_key) for d in told)


class MixesUpPayments(FakeAdapter):
    def parse_webhook(self, request, *, now):
        return tuple(
            replace(d, ordering_key="all") for d in super().parse_webhook(request, now=now)
        )


class BelievesEveryVersion(FakeAdapter):
    def parse_webhook(self, request, *, now):
        envelope = reading.verified(request, self._webhook_secrets, now)
        return reading.deliveries_from({**envelope, "api_version": reading.API_VERSION})


# -- secrets and declarations --------------------------------------------------------------------


class ShowsItsKey(FakeProvider):
    def __repr__(self) -> str:
        return f"ShowsItsKey({self._setup.api_key.reveal()})"


class KeepsItsKeyAsText(FakeProvider):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.api_key = self._setup.api_key.reveal()


class QuotesItsKey(FakeProvider):
    """As some processors do when they refuse one."""

    def create_payment(self, command, call):
        outcome = super().create_payment(command, call)
        if isinstance(outcome, Failure) and outcome.kind is FailureKind.AUTHENTICATION:
            return replace(outcome, message=f"invalid key: {self._setup.api_key.reveal()}")
        return outcome


class LogsItsKey(FakeProvider):
    def create_payment(self, command, call):
        headers = {"authorization": self._setup.api_key.reveal()}
        logging.getLogger("payport.providers.fake").debug("sending with %s", headers)
        return super().create_payment(command, call)


class TripsWithItsSecret(FakeAdapter):
    """A local variable that a traceback with locals shows."""

    def parse_webhook(self, request, *, now):
        secret = self._webhook_secrets[0].reveal()
        if not secret:
            raise WebhookRejected
        return super().parse_webhook(request, now=now)


class ShowsClientTokens(FakeAdapter):
    def create_payment(self, command, key):
        def shown(fact):
            action = getattr(fact, "next_action", None)
            token = getattr(action, "token", None) or getattr(action, "url", None)
            return replace(fact, try_ref=token) if token else fact

        return passed(
            super().create_payment(command, key),
            outcome=lambda one: refacted(one, lambda facts: each_fact(facts, shown)),
        )


class ClosesOnce(FakeProvider):
    closed = False

    def close(self) -> None:
        if self.closed:
            raise RuntimeError("closed already")
        self.closed = True


def promising_too_much(**options: Any) -> FakeProvider:
    """Declares a search and has none."""

    class WithoutSearch(FakeAdapter):
        def find(self, lookup):
            self._lacks("find")

    return with_adapter(WithoutSearch)(**options)


def claiming_to_be_live(**options: Any) -> FakeProvider:
    made = FakeProvider(**options)
    made.adapter.environment = Environment.LIVE
    return made


