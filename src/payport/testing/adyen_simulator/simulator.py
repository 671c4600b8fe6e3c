"""
Adyen in memory: the real wire of Checkout v72, in front of a bank of payport's.

    simulator = AdyenSimulator()
    client = httpx.Client(transport=simulator.transport())         # or .asgi() behind a socket
    simulator.next("create_payment", LostResponse())               # script what goes wrong
    simulator.bank.charged("order_1")                              # ask what really moved
    simulator.bank.settle("order_1", ok=False)                     # decide what is acknowledged
    simulator.deliver(pay)                                         # carry the webhooks

The bank knows a payment by all its references at Adyen, by the merchant's (`reference`,
`merchantOrderReference`), by the idempotency keys that made or changed it, and by each value of its
metadata. It moves no money and opens no connection by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final, Literal
from urllib.parse import urlencode

from payport.domain.identifiers import Environment
from payport.domain.secrets import Secret
from payport.operations.clock import Clock
from payport.providers.deliveries import WebhookRequest
from payport.testing.adyen_simulator.cards import Look
from payport.testing.adyen_simulator.routes import MORE_OPERATIONS, VERSION
from payport.testing.adyen_simulator.server import AdyenServer
from payport.testing.adyen_simulator.telling import Notice
from payport.testing.bank.bank import Bank
from payport.testing.bank.behaviour import adyen_like
from payport.testing.simulation.documents import Doc
from payport.testing.simulation.simulator import Simulator, bank_for
from payport.testing.tokens import Tokens

if TYPE_CHECKING:
    from payport.testing.simulation.asgi import AsgiApp

__all__ = ["HMAC_KEY", "MERCHANT_ACCOUNT", "AdyenSimulator"]

#: What webhooks are signed with unless told otherwise. Anybody may know it.
HMAC_KEY: Final = "5a" * 32
MERCHANT_ACCOUNT: Final = "SimulatedECOM"


class AdyenSimulator(Simulator[Notice]):
    """
    Adyen, for tests.

    Args:
        bank: A bank to stand in front of; one of its own unless passed.
        clock: The bank's clock; a `FakeClock` unless passed.
        environment: Whether it is the test or the live one; `Environment.TEST` unless told.
        account: The merchant account, the bank's name for it.
        signing_secrets: What webhooks are signed with, in hexadecimal digits: the latest signs.
        decides_after: How long it takes to decide captures, cancels and refunds; right after the
            answer unless told. See `bank.settle` for deciding earlier, and otherwise.
        first_number: What references are drawn from. Whoever keeps them for longer than the
            simulator runs, such as an application's inbox, needs others at its next start.
        more_accounts: Other merchant accounts of the same company.
        capture_delay: After how many hours payments are captured that do not say, at once unless
            told; "manual" where the merchant captures all of them.
        several_captures: Whether a payment may be captured in parts; not unless told.
        automatic_capture_webhooks: Whether captures that nobody asked for are told; not unless
            told.
        refuses_other_requests: Whether an idempotency key that was used for another request is
            refused, as it is unless told. Adyen does not say; otherwise the first answer is given
            again, whatever is asked: the more dangerous of the two.
        raw_cards: Whether card numbers may be sent in the clear; not unless told.
        batch: How many items a webhook holds at most; six unless told.
        rate_limit: How many requests a second are taken, by the clock; any number unless told.

    Settings of the account are shared by all simulators in front of one bank: the latest that was
    told holds.

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
        decides_after: timedelta | None = None,
        first_number: int | None = None,
        more_accounts: Collection[str] = (),
        capture_delay: int | Literal["manual"] | None = None,
        several_captures: bool | None = None,
        automatic_capture_webhooks: bool | None = None,
        refuses_other_requests: bool | None = None,
        raw_cards: bool | None = None,
        batch: int | None = None,
        rate_limit: int | None = None,
    ) -> None:
        given = {
            "clock": clock,
            "environment": environment,
            "account": account,
            "signing_secrets": signing_secrets,
            "decides_after": decides_after,
            "first_number": first_number,
        }

        def own() -> Bank:
            return Bank(
                behaviour=replace(adyen_like(), decides_after=decides_after or timedelta()),
                clock=clock,
                account=account or MERCHANT_ACCOUNT,
                environment=environment or Environment.TEST,
                signing_secrets=signing_secrets or (HMAC_KEY,),
                first_number=1 if first_number is None else first_number,
            )

        bank = bank_for("AdyenSimulator", bank, given, own)
        self.server: AdyenServer = bank.face(AdyenServer)
        super().__init__(bank, self.server)
        server, desks = self.server, self.server.desks
        desks.memory.accounts += [one for one in more_accounts if one not in desks.memory.accounts]
        if capture_delay is not None:
            desks.payments.delay = None if capture_delay == "manual" else capture_delay
        for part, setting, to in (
            (desks.modifications, "several_captures", several_captures),
            (desks.notifications, "tells_automatic_captures", automatic_capture_webhooks),
            (desks.methods, "raw_cards", raw_cards),
            (server, "refuses_other_requests", refuses_other_requests),
            (server, "rate_limit", rate_limit),
            (server.outbox.sending, "batch", batch),
        ):
            if to is not None:
                setattr(part, setting, to)

    def __repr__(self) -> str:
        return f"<AdyenSimulator {VERSION}: {self.bank!r}>"

    # -- how to reach it ------------------------------------------------------------------------

    def asgi(self) -> AsgiApp:
        """An ASGI application, with the control surface under `/_control/`."""
        from payport.testing.adyen_simulator.control import AdyenControl  # noqa: PLC0415
        from payport.testing.simulation.asgi import AsgiApp  # noqa: PLC0415 - as they are needed

        return AsgiApp(self.handle, AdyenControl(self))

    # -- what goes wrong ------------------------------------------------------------------------

    def forget_keys(self, *keys: str) -> None:
        """Forget idempotency keys before their time, all of them where none is named."""
        self.server.forget(*keys)

    def restrict(self, api_key: str | Secret, operations: Collection[str]) -> None:
        """Answer 403 to a key for all but these operations, such as `create_refund`."""
        self.server.restrict(api_key, operations)

    # -- what shoppers do -----------------------------------------------------------------------

    def store(self, shopper: str, token: str = Tokens.OK) -> str:
        """
        A shopper's stored payment method with a card of the bank's; return the id.

        Raises:
            KeyError: There is no such token.
        """
        with self.bank.open() as vault:
            card, memory = vault.cards[token], self.server.desks.memory
            return memory.store(card, Look(), shopper, "CardOnFile", None).id

    def redirect_result(self, name: str, *, ok: bool = True) -> str:
        """
        The shopper goes to the page that they were redirected to, and comes back; return the
        `redirectResult` that they come back with. Nothing is decided before the merchant sends it.

        Raises:
            LookupError: The bank knows no payment by this name.
        """
        paid = self.server.desks.memory.paid_of(self.bank.payment(name))
        return f"{paid.token}!{'Y' if ok else 'N'}"

    def return_url(self, name: str, *, ok: bool = True) -> str:
        """The address that the shopper comes back to, with `redirectResult`; see there."""
        payment = self.bank.payment(name)
        back = payment.terms.return_url or ""
        query = urlencode({"redirectResult": self.redirect_result(name, ok=ok)})
        return f"{back}{'&' if '?' in back else '?'}{query}"

    def pay_session(self, session: str, method: Doc) -> str:
        """
        The shopper pays in the page of a session; return the reference of the payment.

        Args:
            session: Its id.
            method: The `paymentMethod` that they choose, as Adyen's code would send it.

        Raises:
            LookupError: There is no such session.
            ApiError: It is over, or the method is none.
        """
        with self.bank.open():
            return self.server.desks.sessions.pay(session, method).psp

    def session_result(self, session: str) -> str:
        """
        What the page is given when the shopper is done: the `sessionResult` to ask with.

        Raises:
            KeyError: There is no such session.
        """
        desks = self.server.desks
        return desks.sessions.result(desks.memory.sessions[session])

    # -- webhooks -------------------------------------------------------------------------------

    def webhooks(
        self, *, duplicate: int = 0, shuffle: int | None = None, batch: int | None = None
    ) -> list[WebhookRequest]:
        """
        Take the pending webhooks, signed now, to deliver them yourself.

        Args:
            duplicate: How many more times each item is delivered.
            shuffle: A seed: the order is then any; None for the order in which things happened.
            batch: How many items a request holds at most; as many as usual unless told.
        """
        return self.server.outbox.take(duplicate=duplicate, shuffle=shuffle, batch=batch)
