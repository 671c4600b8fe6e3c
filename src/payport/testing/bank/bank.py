"""
The bank as tests hold it: what they make happen in it; what they ask it afterwards is `Views`.

It is told the truth and tells it: what moved is what its books say moved, whatever the provider in
front of it answered. Merchants do not call it: they send requests to one of its faces. It moves no
money, waits for nothing and writes nothing down.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from payport.domain.errors import ConfigurationError
from payport.domain.identifiers import Environment
from payport.domain.money import Money
from payport.domain.secrets import Secret
from payport.operations.clock import Clock
from payport.testing.bank.behaviour import Behaviour, stripe_like
from payport.testing.bank.books import Fees
from payport.testing.bank.captures import Captures
from payport.testing.bank.disputes import Disputes
from payport.testing.bank.payments import Payments
from payport.testing.bank.payouts import Payouts
from payport.testing.bank.records import (
    Change,
    DisputeState,
    Order,
    PayoutState,
    State,
)
from payport.testing.bank.refunds import Refunds
from payport.testing.bank.vault import Vault
from payport.testing.bank.views import Views, nothing
from payport.testing.clock import FakeClock
from payport.testing.tokens import Tokens

__all__ = ["Bank"]

F = TypeVar("F")

#: What a bank signs its webhooks with unless told otherwise. Anybody may know it.
SIGNING_SECRET = "whsec_fake_0001"  # noqa: S105 - it protects play money


class Bank(Views):
    """
    An in-memory bank.

    Payments are asked for by name: the bank's id, the merchant's reference, an idempotency key that
    made or changed something, or the id of a capture, refund or dispute. Where several payments
    have a name, sums are over all of them and single ones are the latest.

    Safe to use from several threads, and deterministic: ids are counted and time is the clock's.

    Attributes:
        lock: Held by whoever reads or changes several things as one.
        payments_desk, captures_desk, refunds_desk, disputes_desk, payouts_desk: The engine's parts,
            for faces.
    """

    def __init__(
        self,
        *,
        behaviour: Behaviour | None = None,
        clock: Clock | None = None,
        fees: Fees | None = None,
        account: str = "acct_fake",
        environment: Environment = Environment.TEST,
        signing_secrets: Sequence[str | Secret] = (SIGNING_SECRET,),
        first_number: int = 1,
    ) -> None:
        self.behaviour: Behaviour = behaviour or stripe_like()
        self.clock: Clock = clock or FakeClock()
        self.account = account
        self.environment = environment
        self.lock: AbstractContextManager[object] = threading.RLock()
        self.vault: Vault = Vault(
            self.clock, self.behaviour, fees or Fees(), first_number=first_number
        )
        self.disputes_desk: Disputes = Disputes(self.vault)
        self.captures_desk: Captures = Captures(self.vault, self.disputes_desk)
        self.payments_desk: Payments = Payments(self.vault, self.captures_desk)
        self.refunds_desk: Refunds = Refunds(self.vault)
        self.payouts_desk: Payouts = Payouts(self.vault)
        self._faces: dict[Callable[[Bank], Any], Any] = {}
        self._signing: tuple[Secret, ...] = ()
        self.sign_with(*signing_secrets)

    def __repr__(self) -> str:
        return f"<Bank {self.behaviour.name}: {len(self.vault.payments)} payments>"

    def face(self, make: Callable[[Bank], F]) -> F:
        """The bank's face of this kind: made once, so that all who use the bank share it."""
        with self.lock:
            if make not in self._faces:
                self._faces[make] = make(self)
            face: F = self._faces[make]
            return face

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Have every change told, in order, while the lock is held."""
        with self.lock:
            self.vault.listeners.append(listener)

    # -- set up ---------------------------------------------------------------------------------

    @property
    def signing_secrets(self) -> tuple[Secret, ...]:
        """What webhooks are signed with; each carries a signature by every one of them."""
        return self._signing

    def sign_with(self, *secrets: str | Secret) -> None:
        """
        Sign webhooks with these from now on: two while a secret is being replaced.

        Raises:
            ConfigurationError: There is none, or one is blank.
        """
        if not secrets:
            message = "a bank that signs with nothing sends webhooks that nobody can trust"
            raise ConfigurationError(message, operation="Bank", field="signing_secrets")
        self._signing = tuple(s if isinstance(s, Secret) else Secret(s) for s in secrets)

    def add_customer(self) -> str:
        """Make a customer that methods can be saved with; return the id."""
        with self.open() as vault:
            customer = vault.new_ref("bu")
            vault.customers[customer] = []
            return customer

    def methods(self, customer: str) -> tuple[str, ...]:
        """The tokens of a customer's saved methods, oldest first."""
        with self.open() as vault:
            return tuple(vault.customers[customer])

    # -- what happens out there -----------------------------------------------------------------

    def authenticate(self, name: str, *, ok: bool = True) -> str | None:
        """
        The customer authenticates, or fails to; return the address they are sent back to.

        Raises:
            Refused: Nobody asked them.
            LookupError: The bank knows no payment by this name.
        """
        with self.open():
            payment = self.payment(name)
            self.payments_desk.authenticate(payment, ok=ok)
            return payment.terms.return_url or payment.order.return_url

    def visit(self) -> None:
        """
        Customers who were sent to a page pay there, at a bank whose payments are all made on one.
        Whose card asks for an authentication waits for `authenticate`, as anywhere.
        """
        with self.open() as vault:
            for payment in tuple(vault.payments.values()):
                asked = payment.state is State.CHALLENGED and payment.card is not None
                if asked and payment.card is not None and payment.card.challenge is None:
                    self.payments_desk.authenticate(payment, ok=True)

    def abandon(self, name: str) -> None:
        """
        The customer closes the page and the time to authenticate runs out, as it does by the
        clock after an hour.

        Raises:
            Refused: Nobody asked them.
            LookupError: The bank knows no payment by this name.
        """
        with self.open():
            payment = self.payment(name)
            self.payments_desk.abandon(payment)

    def settle(self, name: str, *, ok: bool | None = None) -> None:
        """
        Decide now what is waiting to be decided on these payments, instead of by the clock:
        issuers that think, captures, cancels and refunds that are pending, refunds and captures
        that are to come back, a dispute that is to come.

        Args:
            ok: Whether it ends as the merchant hopes. None: as the token says it will.

        Raises:
            LookupError: The bank knows no payment by this name.
        """
        with self.open():
            payments = self.payments_named(name)
            if not payments:
                raise nothing(name)
            for payment in payments:
                # What is decided here may leave something else to wait for: not for this call.
                for waiting in payment.waiting:
                    waiting.conclude(ok)

    def dispute(
        self,
        name: str,
        amount: Money | None = None,
        *,
        reason: str = "fraudulent",
        inquiry: bool = False,
    ) -> str:
        """
        The holder disputes a payment; return the dispute's id.

        Args:
            amount: How much; all that was taken and not given back unless told.
            inquiry: Whether the holder's bank only asks, and takes nothing yet.

        Raises:
            Refused: That much is not there.
            LookupError: The bank knows no payment by this name.
        """
        with self.open():
            payment = self.payment(name)
            minor = payment.free if amount is None else amount.minor
            desk = self.disputes_desk
            return desk.open(payment, minor, reason=reason, inquiry=inquiry).ref

    def submit_evidence(self, dispute: str) -> None:
        """The merchant answers a dispute, and the answer is looked at."""
        self._turn(dispute, DisputeState.EXAMINED)

    def win(self, dispute: str) -> None:
        """A dispute is decided for the merchant, also one that was lost before."""
        self._turn(dispute, DisputeState.WON)

    def lose(self, dispute: str) -> None:
        """A dispute is decided for the customer."""
        self._turn(dispute, DisputeState.LOST)

    def reopen(self, dispute: str) -> None:
        """A dispute that was decided is raised again; an inquiry becomes one."""
        self._turn(dispute, DisputeState.RAISED)

    def close_inquiry(self, dispute: str) -> None:
        """An inquiry ends without a dispute."""
        self._turn(dispute, DisputeState.ANSWERED)

    def _turn(self, dispute: str, state: DisputeState) -> None:
        with self.open():
            self.disputes_desk.turn(dispute, state)

    def charge(self, amount: Money, token: str = Tokens.OK, *, reference: str | None = None) -> str:
        """
        Somebody takes a payment by hand, in the bank's own pages: it carries no tag. Return its id.

        Raises:
            Refused: There is no such token.
        """
        order = Order(
            amount=amount.minor, currency=amount.currency, token=token, reference=reference
        )
        with self.open():
            return self.payments_desk.create(order, confirm=True).ref

    def refund(self, name: str, amount: Money) -> str:
        """
        Somebody refunds a payment by hand: it carries no tag. Return the refund's id.

        Raises:
            Refused: That much cannot be given back.
            LookupError: The bank knows no payment by this name.
        """
        with self.open():
            payment = self.payment(name)
            return self.refunds_desk.refund(payment.ref, amount.minor, tag=None)[1].ref

    def pay_out(self, currency: str = "USD", *, arrives: bool = True) -> Money:
        """
        Send the balance to the merchant's own account; return how much, nothing if in debt. The
        payout is the last one of `payouts`.

        Args:
            arrives: Whether it is there at once; else it waits for `move_payout`.
        """
        with self.open():
            payout = self.payouts_desk.ask(currency)
            if payout is not None and arrives:
                self.payouts_desk.turn(payout.ref, PayoutState.PAID)
            return Money(payout.amount if payout is not None else 0, currency)

    def move_payout(
        self, payout: str, state: PayoutState | str, *, failure: str | None = None
    ) -> None:
        """
        A payout moves on: `sent`, `paid`, `voided`, or `bounced`, which also one does that was
        paid. What is voided or comes back is on the balance again.

        Args:
            failure: The bank's word for why it came back.

        Raises:
            Refused: There is no such payout, or it cannot go there from where it is.
        """
        with self.open():
            self.payouts_desk.turn(payout, PayoutState(state), failure)

    def itemize_payout(self, payout: str) -> None:
        """
        The bank says of which entries of its books a payout is made.

        Raises:
            Refused: There is no such payout, or it was said.
        """
        with self.open():
            self.payouts_desk.itemize(payout)

    def announce(self, what: str, details: dict[str, str | int] | None = None) -> None:
        """Tell listeners of something that is about no payment, known to them or not."""
        with self.open() as vault:
            change = Change(what=what, at=vault.stamp(), details=details or {})
            for listener in vault.listeners:
                listener(change)
