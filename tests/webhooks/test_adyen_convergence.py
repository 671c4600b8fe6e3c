"""
The convergence of the inbox, unchanged, on Adyen: nothing of a payment can be read there, most of
what is asked for is only received, and webhooks alone decide it, in any order, and undo it again.
"""

from __future__ import annotations

import httpx
import pytest
import test_inbox_convergence as convergence
from hypothesis import given, settings
from hypothesis import strategies as st
from shops import usd
from worlds import STORIES, Kind, Story, World, buys, captures, happens, passes, refunds

from payport.providers.adyen import AdyenProvider, AsyncAdyenProvider
from payport.testing import AdyenSimulator
from payport.testing.adyen_simulator import HMAC_KEY, MERCHANT_ACCOUNT
from payport.testing.tokens import Tokens

BACK = "https://shop.example/back"
#: As the fake that cannot be read.
KINDS = [Kind("adyen_like"), Kind("adyen_like", "async")]
FILES = [Kind("adyen_like", "async", "sqlite"), Kind("adyen_like", "sync", "sqlite")]

#: What Adyen has no webhooks for in this API, or what an account with several captures cannot ask.
_NOT_HERE = {"a payout that comes back", "captured in parts, the rest released"}
ADYENS = (
    *(story for story in STORIES if "adyen_like" in story.faces and story.name not in _NOT_HERE),
    Story(
        "a capture that fails later",
        (
            buys(Tokens.CAPTURE_FAILS, capture_method="manual"),
            captures(2000, "a"),
            captures(3000, "b"),
            passes(days=4),
        ),
    ),
    Story(
        "refunds that fail and come back",
        (
            buys(Tokens.REFUND_REVERSES),
            refunds(700, "a"),
            passes(days=3),
            refunds(300, "b"),
            happens(lambda world, ref: world.bank.refund(ref, usd(200))),
            passes(days=3),
        ),
    ),
)


class _Asking:
    """The payments of a client, asked in Adyen's terms: its tokens, and where customers go back."""

    def __init__(self, payments):
        self._payments = payments

    def create(self, *, payment_method, **asked):
        token = payment_method.replace("_", "").upper()
        return self._payments.create(payment_method=token, return_url=BACK, **asked)

    def __getattr__(self, name):
        return getattr(self._payments, name)


class _Pay:
    def __init__(self, plain):
        self._plain = plain
        self.payments = _Asking(plain.payments)

    def __getattr__(self, name):
        return getattr(self._plain, name)


class AdyenWorld(World):
    """The same world, with Adyen's wire and adapter between the shop and the bank."""

    def __init__(self, kind, files=None):
        super().__init__(kind, files)
        self.pay = _Pay(self.pay)

    def _fake(self):
        simulator = AdyenSimulator(clock=self.clock, several_captures=True)
        self.bank = simulator.bank
        self._take = lambda: simulator.webhooks(batch=1)
        given = {
            "api_key": "AQE_obviously_fake_api_key",
            "merchant_account": MERCHANT_ACCOUNT,
            "environment": "test",
            "webhook_secrets": [HMAC_KEY],
            "multicapture": True,
        }
        if self.is_async:
            awaited = httpx.AsyncClient(transport=simulator.async_transport())
            return AsyncAdyenProvider(http_client=awaited, **given)
        return AdyenProvider(http_client=httpx.Client(transport=simulator.transport()), **given)

    def _headers(self, body):
        return {}


@pytest.fixture(autouse=True)
def in_adyens_world(monkeypatch, debits_take_five_days):
    monkeypatch.setattr(convergence, "World", AdyenWorld)
    monkeypatch.setattr(convergence, "STORIES", ADYENS)


debits_take_five_days = convergence.debits_take_five_days


@pytest.mark.parametrize("kind", KINDS, ids=str)
@settings(max_examples=convergence.SOME, suppress_health_check=convergence._SHARED)
@given(data=st.data())
def test_however_adyen_tells_it_the_shop_ends_where_the_bank_is(kind, files, data):
    convergence.check_same(kind, files, data.draw(convergence.plans(kind)))


@pytest.mark.parametrize("kind", FILES, ids=str)
@settings(max_examples=convergence.FEW, suppress_health_check=convergence._SHARED)
@given(data=st.data())
def test_the_same_holds_where_it_is_kept_in_files(kind, files, data):
    convergence.check_same(kind, files, data.draw(convergence.plans(kind)))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("story", ADYENS, ids=repr)
def test_each_story_ends_the_same_if_all_of_it_comes_at_its_end(story, seed, files):
    plan = convergence.Plan(stories=(story,), moves=(), seed=seed, lost=0.0, found="backfill")
    convergence.check_same(KINDS[seed % 2], files, plan)
