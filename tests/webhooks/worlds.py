"""
Worlds: one bank, one shop in front of it, and a postman who may be late, lose things, or bring them
twice. The same plan in two worlds ends in the same bank; it has to end in the same shop too.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx
import psycopg
from shops import BEHAVIOURS, PRICE, Plain, usd

from payport import AsyncPayport, DomainEvent, Handlers, Payport
from payport.providers.adyen import AdyenProvider, AsyncAdyenProvider
from payport.providers.stripe import AsyncStripeProvider, StripeProvider
from payport.storage.memory import AsyncMemoryStore, MemoryStore
from payport.storage.postgres import AsyncPostgresStore, PostgresStore
from payport.storage.schema import metadata, store
from payport.storage.sqlite import AsyncSqliteStore, SqliteStore
from payport.testing import (
    AdyenSimulator,
    AsyncFakeProvider,
    Bank,
    FakeClock,
    FakeProvider,
    StripeSimulator,
)
from payport.testing.adyen_simulator import HMAC_KEY, MERCHANT_ACCOUNT
from payport.testing.bank.records import PayoutState
from payport.testing.fake.outbox import SIGNATURE_HEADER, signature
from payport.testing.tokens import Tokens

SECRET = "whsec_of_the_worlds"


@dataclass(frozen=True)
class Kind:
    """Which processor, colour and store."""

    face: str
    colour: str = "sync"
    store: str = "memory"

    def __str__(self):
        return f"{self.face}-{self.colour}-{self.store}"

    @property
    def can_be_read(self):
        """Whether payments, and what was told, can be read at the provider."""
        return self.face not in {"adyen_like", "adyen"}


def emptied(url):
    """Leave nothing in a database but the tables, and the row that tells it from others."""
    names = [table.name for table in reversed(metadata.sorted_tables) if table is not store]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(";".join(f"DELETE FROM {name}" for name in names))  # noqa: S608


class World:
    """
    A bank, a shop, and what the postman has.

    Args:
        files: A folder with a migrated SQLite file, for worlds on SQLite.
        url: A PostgreSQL database with payport's tables, for a world on that; it is emptied.
    """

    def __init__(self, kind, files=None, url=None):
        self.kind = kind
        self._url = url
        self.clock = FakeClock()
        self.is_async = kind.colour == "async"
        self._runner = asyncio.Runner() if self.is_async else None
        self._place = tempfile.mkdtemp(dir=files) if kind.store == "sqlite" else None
        self._opened = None
        self.told = []
        self.handlers = Handlers()
        self.handlers.on(DomainEvent, name="told")(lambda event, tx: self.told.append(event))
        self.provider = {"stripe": self._stripe, "adyen": self._adyen}.get(kind.face, self._fake)()
        kept = self._store(files)
        make = AsyncPayport if self.is_async else Payport
        self._client = make(
            self.provider, scope="shop", store=kept, clock=self.clock, handlers=self.handlers
        )
        self.pay = Plain(self._client, self._run)
        self.bag: list[bytes] = []
        self.seen: list[bytes] = []
        self.disputes: dict[str, str] = {}

    def _run(self, awaitable):
        async def awaited():
            return await awaitable

        return self._runner.run(awaited())

    def _fake(self):
        self.bank = Bank(
            behaviour=BEHAVIOURS[self.kind.face](), clock=self.clock, signing_secrets=[SECRET]
        )
        make = AsyncFakeProvider if self.is_async else FakeProvider
        provider = make(bank=self.bank)
        self._take = provider.webhooks
        return provider

    def _stripe(self):
        simulator = StripeSimulator(clock=self.clock, signing_secrets=[SECRET])
        self.bank, self._take = simulator.bank, simulator.webhooks
        self._signed = simulator.server.outbox.signed
        given = {"api_key": "sk_test_fake", "webhook_secrets": [SECRET], "multicapture": True}
        if self.is_async:
            awaited = httpx.AsyncClient(transport=simulator.async_transport())
            return AsyncStripeProvider(http_client=awaited, **given)
        return StripeProvider(http_client=httpx.Client(transport=simulator.transport()), **given)

    def _adyen(self):
        simulator = AdyenSimulator(clock=self.clock, several_captures=True)
        self.bank, self._take = simulator.bank, simulator.webhooks
        given = {
            "api_key": "AQE_obviously_fake",
            "merchant_account": MERCHANT_ACCOUNT,
            "environment": "test",
            "webhook_secrets": [HMAC_KEY],
            "multicapture": True,
        }
        if self.is_async:
            awaited = httpx.AsyncClient(transport=simulator.async_transport())
            return AsyncAdyenProvider(http_client=awaited, **given)
        return AdyenProvider(http_client=httpx.Client(transport=simulator.transport()), **given)

    def _store(self, files):
        if self.kind.store == "postgres":
            emptied(self._url)
            make = AsyncPostgresStore if self.is_async else PostgresStore
            self._opened = make(self._url)
            return self._opened
        if self._place is None:
            memory = MemoryStore()
            return AsyncMemoryStore(memory) if self.is_async else memory
        path = shutil.copy(files / "migrated.db", Path(self._place) / "payments.db")
        return AsyncSqliteStore(str(path)) if self.is_async else SqliteStore(str(path))

    def close(self):
        if self.is_async:
            self._run(self._client.aclose())
            if self._opened is not None:
                self._run(self._opened.aclose())
            self._runner.close()
        else:
            self._client.close()
            if self._opened is not None:
                self._opened.close()
        if self._place is not None:
            shutil.rmtree(self._place)

    # -- the postman ------------------------------------------------------------------------------

    def collect(self):
        """Take what the bank sent."""
        self.bag += [request.body for request in self._take()]

    def bring(self, bodies):
        """Bring webhooks, signed when they are brought, and have them worked off."""
        for body in bodies:
            headers = self._headers(body)
            self.pay.webhooks.receive(body=body, headers=headers)
            self.seen.append(body)
        self.pay.webhooks.process_due()

    def _headers(self, body):
        if self.kind.face == "adyen":
            return {}  # each item of the body is signed
        if self.kind.face == "stripe":
            return self._signed(body).headers
        timestamp = str(int(self.clock.now().timestamp()))
        return {SIGNATURE_HEADER: f"t={timestamp},v1={signature(SECRET, timestamp, body)}"}

    def bring_all(self, chance=None):
        """Bring all that is there: in order, or in any order and some of it twice."""
        self.collect()
        bodies, self.bag = self.bag, []
        if chance is not None:
            bodies += chance.sample(self.seen, min(len(self.seen), 2))
            chance.shuffle(bodies)
        self.bring(bodies)

    def bring_some(self, chance):
        """Bring some of what is there, in any order, and something old once more."""
        self.collect()
        chance.shuffle(self.bag)
        cut = chance.randint(0, len(self.bag))
        again = chance.sample(self.seen, min(len(self.seen), chance.randint(0, 2)))
        bodies, self.bag = [*self.bag[:cut], *again], self.bag[cut:]
        self.bring(bodies)

    def lose_some(self, chance, share):
        """Some of what is there never comes."""
        self.collect()
        self.bag = [body for body in self.bag if chance.random() >= share]

    # -- what is known at last --------------------------------------------------------------------

    def payment(self, reference):
        return self.pay.payments.get(reference=reference)

    def ends(self, references):
        """All that the shop knows of the money."""
        return {reference: _facts_of(self.payment(reference)) for reference in references}

    def payouts(self):
        """Where each payout ends, by what handlers were told."""
        ends = {}
        for event in self.told:
            if event.kind.startswith("payout_") and event.kind != "payout_reconciled":
                rank, known = event.status.rank, ends.get(event.effect_ref)
                if known is None or known.rank < rank:
                    ends[event.effect_ref] = event.status
        return ends

    def kinds(self, reference):
        """How often handlers were told each kind of event of a payment."""
        mine = [e for e in self.told if getattr(e, "reference", None) == reference]
        return Counter(event.kind for event in mine)


def _facts_of(payment):
    return {
        "status": payment.status,
        "totals": (
            payment.authorized,
            payment.captured,
            payment.refunded,
            payment.disputed,
            payment.capture_pending,
            payment.refund_pending,
        ),
        "attempts": [(a.ref, a.status, a.number) for a in payment.attempts],
        "captures": sorted((c.fact.ref, c.status, c.amount.minor) for c in payment.captures),
        "refunds": sorted(
            (r.fact.ref, r.status, r.amount.minor, r.reference or "") for r in payment.refunds
        ),
        "disputes": sorted((d.ref, d.status, d.amount.minor) for d in payment.disputes),
        "doubts": (payment.in_flight, payment.unresolved),
    }


# -- stories --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """
    One step of a story.

    Attributes:
        act: Has it happen, for a reference.
        informed: Whether the shop has to know how things stand to ask for it.
    """

    act: Callable[[World, str], object]
    informed: bool = False


@dataclass(frozen=True)
class Story:
    """What happens to one payment."""

    name: str
    steps: tuple[Step, ...]
    faces: frozenset[str] = field(
        default=frozenset({"stripe", "adyen", "stripe_like", "adyen_like", "keyless"})
    )

    def __repr__(self):
        return self.name


def buys(token=Tokens.OK, **more):
    asked = {"amount": PRICE, "return_url": "https://shop.example/back", "confirm": True, **more}

    def act(world, ref):
        named = token.replace("_", "").upper() if world.kind.face == "adyen" else token
        world.pay.payments.create(reference=ref, payment_method=named, **asked)

    return Step(
        act,
        informed=more.get("attempt", 1) > 1,
    )


def captures(minor, name):
    def act(world, ref):
        named = {"reference": f"{ref}_{name}"} if name is not None else {}
        world.pay.payments.capture(world.payment(ref).id, amount=usd(minor), **named)

    return Step(act, informed=True)


def cancels():
    return Step(lambda world, ref: world.pay.payments.cancel(world.payment(ref).id), informed=True)


def refunds(minor, name):
    def act(world, ref):
        world.pay.refunds.create(
            payment=world.payment(ref).id, reference=f"{ref}_{name}", amount=usd(minor)
        )

    return Step(act, informed=True)


def happens(act):
    return Step(act)


def passes(**time):
    return Step(lambda world, ref: world.clock.advance(timedelta(**time)))


def disputes(minor, *, inquiry=False):
    def act(world, ref):
        world.disputes[ref] = world.bank.dispute(ref, usd(minor), inquiry=inquiry)

    return Step(act)


def turns(method):
    return Step(lambda world, ref: getattr(world.bank, method)(world.disputes[ref]))


def pays_out():
    return Step(lambda world, ref: world.bank.pay_out(arrives=False))


def moves_payout(state):
    def act(world, ref):
        before = {PayoutState.SENT: "asked", PayoutState.PAID: "sent", PayoutState.BOUNCED: "paid"}
        there = [p for p in world.bank.payouts if p.state == before[state]]
        if there:
            world.bank.move_payout(there[0].ref, state)

    return Step(act)


#: Five days, as debits take.
DEBIT_TAKES = timedelta(days=5)
_UNDONE = frozenset({"adyen", "stripe_like", "adyen_like", "keyless"})
#: Adyen releases nothing of a payment of which parts were captured.
_RELEASED = frozenset({"stripe", "stripe_like", "adyen_like", "keyless"})

STORIES = (
    Story("paid", (buys(),)),
    Story("declined and paid", (buys(Tokens.INSUFFICIENT_FUNDS), buys(attempt=2))),
    Story(
        "3-D Secure",
        (buys(Tokens.AUTHENTICATE), happens(lambda world, ref: world.bank.authenticate(ref))),
    ),
    Story(
        "3-D Secure that fails",
        (
            buys(Tokens.AUTHENTICATE),
            happens(lambda world, ref: world.bank.authenticate(ref, ok=False)),
            buys(attempt=2),
        ),
    ),
    Story("a debit", (buys(Tokens.PROCESSING), passes(days=3), passes(days=3))),
    Story("a debit that fails", (buys(Tokens.PROCESSING_FAILS), passes(days=3), passes(days=3))),
    Story("a debit that comes back", (buys(Tokens.CAPTURE_FAILS), passes(days=4)), _UNDONE),
    Story(
        "captured in parts, the rest released",
        (buys(capture_method="manual"), captures(1500, "a"), captures(1500, None)),
        _RELEASED,
    ),
    Story(
        "captured in parts to the end",
        (buys(capture_method="manual"), captures(2000, "a"), captures(3000, "b")),
    ),
    Story(
        "a capture that fails later",
        (
            buys(Tokens.CAPTURE_FAILS, capture_method="manual"),
            captures(2000, "a"),
            captures(3000, "b"),
            passes(days=4),
        ),
        _UNDONE,
    ),
    Story("held and canceled", (buys(capture_method="manual"), cancels())),
    Story("held for too long", (buys(capture_method="manual"), passes(days=8))),
    Story(
        "refunds that fail and stay",
        (
            buys(Tokens.REFUND_FAILS),
            refunds(700, "a"),
            passes(days=3),
            happens(lambda world, ref: world.bank.refund(ref, usd(300))),
        ),
    ),
    Story(
        "refunds that come back",
        (buys(Tokens.REFUND_REVERSES), refunds(700, "a"), refunds(700, "b"), passes(days=3)),
    ),
    Story(
        "refunds that come back, and one from elsewhere",
        (
            buys(Tokens.REFUND_REVERSES),
            refunds(700, "a"),
            passes(days=3),
            refunds(300, "b"),
            happens(lambda world, ref: world.bank.refund(ref, usd(200))),
            passes(days=3),
        ),
    ),
    Story("a refund that takes long", (buys(Tokens.REFUND_PENDING), refunds(900, "a"))),
    Story(
        "disputed, won, reopened, lost",
        (
            buys(),
            disputes(1000, inquiry=True),
            turns("reopen"),
            turns("submit_evidence"),
            turns("win"),
            passes(hours=1),
            turns("reopen"),
            turns("lose"),
        ),
    ),
    Story(
        "disputed, lost, reversed",
        (buys(), disputes(2000), turns("lose"), passes(hours=1), turns("win")),
    ),
    Story(
        "a payout that comes back",
        (
            buys(),
            pays_out(),
            moves_payout(PayoutState.SENT),
            moves_payout(PayoutState.PAID),
            passes(days=1),
            moves_payout(PayoutState.BOUNCED),
        ),
    ),
)


def chance_of(seed):
    """Chance that a test repeats, not chance that anybody's money depends on."""
    return random.Random(seed)
