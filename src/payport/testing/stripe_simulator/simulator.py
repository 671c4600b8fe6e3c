"""
Stripe in memory: the real wire at the pinned API version, in front of a bank of payport's.

    simulator = StripeSimulator()
    client = httpx.Client(transport=simulator.transport())         # or .asgi() behind a socket
    simulator.next("create_payment", LostResponse())               # script what goes wrong
    simulator.bank.charged("pi_...")                               # ask what really moved
    simulator.deliver(pay)                                         # carry the webhooks

The bank knows a payment by all its ids at Stripe, by the idempotency keys that made or changed it,
and by each value of its metadata. It moves no money and opens no connection by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final

from payport.domain.identifiers import Environment
from payport.domain.secrets import Secret
from payport.operations.clock import Clock
from payport.providers.deliveries import WebhookRequest
from payport.testing.bank.bank import Bank
from payport.testing.bank.behaviour import stripe_like
from payport.testing.simulation.simulator import Simulator, bank_for
from payport.testing.stripe_simulator.events import API_VERSION, Event
from payport.testing.stripe_simulator.routes import MORE_OPERATIONS
from payport.testing.stripe_simulator.server import StripeServer

if TYPE_CHECKING:
    from payport.testing.simulation.asgi import AsgiApp

__all__ = ["SIGNING_SECRET", "StripeSimulator"]

#: What webhooks are signed with unless told otherwise. Anybody may know it.
SIGNING_SECRET: Final = "whsec_simulated_0001"  # noqa: S105 - it protects play money
ACCOUNT: Final = "acct_simulated"
#: Stripe's search finds objects "in less than a minute" normally.
SEARCH_LAG: Final = timedelta(minutes=1)


class StripeSimulator(Simulator[Event]):
    """
    Stripe, for tests.

    Args:
        bank: A bank to stand in front of; one of its own unless passed.
        clock: The bank's clock; a `FakeClock` unless passed.
        environment: Whether test or live keys are taken; `Environment.TEST` unless told.
        account: The account that keys belong to.
        signing_secrets: What webhooks are signed with: several while one is being replaced.
        search_lag: How long after it was made an object is found by a search.
        rate_limit: How many requests a second are taken, by the clock; None for any number.
        first_number: What ids are counted from. Whoever keeps ids for longer than the simulator
            runs, such as an application's inbox, needs others at its next start.

    Raises:
        ConfigurationError: Something was passed beside `bank` that is the bank's to say.

    Attributes:
        bank: What it holds, and what happens out there.
        server: What answers requests.
        script: What is scripted for requests of transports that were given no script of their own.
    """

    operations: ClassVar[Collection[str]] = MORE_OPERATIONS

    def __init__(
        self,
        *,
        bank: Bank | None = None,
        clock: Clock | None = None,
        environment: Environment | None = None,
        account: str | None = None,
        signing_secrets: Sequence[str | Secret] | None = None,
        search_lag: timedelta | None = None,
        rate_limit: int | None = None,
        first_number: int | None = None,
    ) -> None:
        given = {
            "clock": clock,
            "environment": environment,
            "account": account,
            "signing_secrets": signing_secrets,
            "search_lag": search_lag,
            "first_number": first_number,
        }

        def own() -> Bank:
            lag = SEARCH_LAG if search_lag is None else search_lag
            return Bank(
                behaviour=replace(stripe_like(), search_lag=lag),
                clock=clock,
                account=account or ACCOUNT,
                environment=environment or Environment.TEST,
                signing_secrets=signing_secrets or (SIGNING_SECRET,),
                first_number=1 if first_number is None else first_number,
            )

        bank = bank_for("StripeSimulator", bank, given, own)
        self.server: StripeServer = bank.face(StripeServer)
        super().__init__(bank, self.server)
        if rate_limit is not None:
            self.server.rate_limit = rate_limit

    def __repr__(self) -> str:
        return f"<StripeSimulator {API_VERSION}: {self.bank!r}>"

    # -- how to reach it ------------------------------------------------------------------------

    def asgi(self) -> AsgiApp:
        """An ASGI application, with the control surface under `/_control/`."""
        from payport.testing.simulation.asgi import AsgiApp  # noqa: PLC0415 - as they are needed
        from payport.testing.stripe_simulator.control import StripeControl  # noqa: PLC0415

        return AsgiApp(self.handle, StripeControl(self))

    def connected(self, account: str) -> StripeSimulator:
        """
        The simulator of a connected account, which requests name by `Stripe-Account`. It has a bank
        of its own, with this one's clock; keys of this one are good for it.
        """
        bank = Bank(
            behaviour=self.bank.behaviour,
            clock=self.bank.clock,
            account=account,
            environment=self.bank.environment,
            signing_secrets=self.bank.signing_secrets,
        )
        other = StripeSimulator(bank=bank)
        self.server.connected[account] = other.server
        return other

    # -- what goes wrong ------------------------------------------------------------------------

    def restrict(self, api_key: str | Secret, permissions: Collection[str]) -> None:
        """Answer 403 to what a key is not permitted, such as `payment_intent_write`."""
        self.server.restrict(api_key, permissions)

    # -- webhooks -------------------------------------------------------------------------------

    def webhooks(
        self, *, duplicate: int = 0, shuffle: int | None = None, api_version: str = API_VERSION
    ) -> list[WebhookRequest]:
        """
        Take the pending webhooks, signed now, to deliver them yourself.

        Args:
            duplicate: How many more times each is delivered.
            shuffle: A seed: the order is then any; None for the order in which things happened.
            api_version: What they say their version is.
        """
        outbox = self.server.outbox
        return outbox.take(duplicate=duplicate, shuffle=shuffle, api_version=api_version)
