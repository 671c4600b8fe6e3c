"""The examples, the README and the documentation run as they are written."""

from __future__ import annotations

import logging
import os
import re
import runpy
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from examples_help import ROOT, loaded, run
from loopback import serving
from werkzeug.serving import make_server

from payport import Money
from payport.testing import (
    AsyncFakeProvider,
    FakeProvider,
    LostResponse,
    ServerError,
    StripeSimulator,
)
from payport.testing.bank.bank import Bank

PAGES = ["README.md", *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs").glob("*.md"))]
#: Sets Django up, which a process does once.
ALONE = {"docs/frameworks.md"}
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


#: Run with the example that it shows, by test_adapter_docs.
GUIDE = "docs/adding-a-provider.md"


@pytest.mark.parametrize("page", [page for page in PAGES if page != GUIDE])
def test_the_code_on_a_page_runs_from_top_to_bottom(page: str) -> None:
    blocks = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    if page in ALONE:
        done = run("-W", "error", "-c", "\n".join(blocks))
        assert done.returncode == 0, done.stderr
        return

    exec(compile("\n".join(blocks), page, "exec"), {"__name__": "page"})  # noqa: S102 - our own docs


def test_the_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 120


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)

    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []


def test_quickstart_pays_and_refunds(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(ROOT / "examples" / "quickstart.py"), run_name="__main__")

    said = capsys.readouterr().out
    assert "paid: 49.99 USD" in said
    assert "refunded: 10.00 USD succeeded" in said


# -- checkouts, behind the servers of their frameworks --------------------------------------------


@dataclass
class Shop:
    """A checkout, served on a loopback port, and the bank behind it."""

    client: httpx.Client
    example: Any
    outside: Any

    @property
    def bank(self) -> Bank:
        return self.outside.bank  # type: ignore[no-any-return]

    def deliver(self) -> int:
        """Post what the provider sends to the shop's address."""
        requests = self.outside.webhooks()
        for request in requests:
            posted = self.client.post("/webhooks", content=request.body, headers=request.headers)
            assert posted.status_code == 200
        return len(requests)


@contextmanager
def on_fastapi() -> Iterator[Shop]:
    example = loaded("async_checkout")
    with serving(example.app) as (url,), httpx.Client(base_url=url, timeout=10) as client:
        yield Shop(client, example, example.outside)


@contextmanager
def on_flask() -> Iterator[Shop]:
    example = loaded("flask_checkout")
    server = make_server("127.0.0.1", 0, example.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        with httpx.Client(base_url=url, timeout=10) as client:
            yield Shop(client, example, example.outside)
    finally:
        server.shutdown()
        thread.join(timeout=10)
        server.server_close()
        example.pay.close()


@pytest.fixture(params=["fake", "simulator"])
def provider(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PAYPORT_PROVIDER", request.param)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    return str(request.param)


@pytest.fixture(params=[on_fastapi, on_flask])
def shop(request: pytest.FixtureRequest, provider: str) -> Iterator[Shop]:
    with request.param() as served:
        yield served


def test_one_setting_chooses_the_provider(shop: Shop, provider: str) -> None:
    kinds = {"fake": (FakeProvider, AsyncFakeProvider), "simulator": (StripeSimulator,)}
    assert isinstance(shop.outside, kinds[provider])


def test_a_checkout_ships_after_3d_secure(shop: Shop) -> None:
    sent = shop.client.post("/checkout/order_1?token=pm_card_authenticate").json()
    again = shop.client.post("/checkout/order_1?token=pm_card_authenticate").json()
    assert sent["redirect"] == again["redirect"]
    assert "redirect" in shop.client.get("/return/order_1").json()
    assert shop.example.shipped == []

    back = shop.client.post("/customer/order_1").json()
    assert back == {"return_to": "https://shop.example/return/order_1"}
    assert shop.deliver() > 0

    assert shop.client.get("/return/order_1").json() == {"paid": "49.99 USD"}
    assert shop.example.shipped == ["order_1"]
    assert shop.bank.charged("order_1") == Money(4999, "USD")


def test_a_customer_who_fails_to_authenticate_is_told_so(shop: Shop) -> None:
    shop.client.post("/checkout/order_8?token=pm_card_authenticate")
    shop.client.post("/customer/order_8?ok=false")

    assert "declined" in shop.client.get("/return/order_8").json()
    assert shop.bank.charged("order_8") == Money(0, "USD")


def test_a_checkout_tells_a_declined_customer_why(shop: Shop) -> None:
    told = shop.client.post("/checkout/order_2?token=tok_declined_insufficient_funds").json()

    assert "not enough money" in told["declined"]


def test_a_checkout_refunds_once_for_each_reference(shop: Shop) -> None:
    shop.client.post("/checkout/order_3?token=pm_card_visa")
    for reference in ("return_1", "return_1", "return_2"):
        answer = shop.client.post(f"/refund/order_3?reference={reference}&cents=1000")
        assert answer.json() == {"refund": "succeeded", "amount": "10.00 USD"}
    refused = shop.client.post("/refund/order_3?reference=return_3&cents=9000")
    assert refused.status_code == 400
    assert "refused" in refused.json()
    shop.deliver()

    assert shop.bank.refunded("order_3") == Money(2000, "USD")
    assert sorted(shop.example.returned) == ["return_1", "return_2"]


def test_a_checkout_whose_answer_is_lost_charges_nobody_twice(shop: Shop) -> None:
    shop.outside.next("create_payment", LostResponse())

    paid = shop.client.post("/checkout/order_4?token=pm_card_visa").json()

    assert paid == {"paid": "49.99 USD"}
    assert shop.bank.charged("order_4") == Money(4999, "USD")


def test_a_checkout_that_cannot_know_does_not_guess(shop: Shop) -> None:
    shop.outside.next("create_payment", *[ServerError(effect=True)] * 9)
    shop.outside.next("find", *[LostResponse()] * 9)

    assert shop.client.post("/checkout/order_5?token=pm_card_visa").json() == {"wait": "unknown"}

    shop.outside.script.clear()
    shop.deliver()
    assert shop.client.get("/return/order_5").json() == {"paid": "49.99 USD"}
    assert shop.bank.charged("order_5") == Money(4999, "USD")
    assert shop.example.shipped == ["order_5"]


def test_a_checkout_rejects_what_the_provider_did_not_sign(shop: Shop) -> None:
    assert shop.client.post("/webhooks", content=b"{}").status_code == 400
    shop.client.post("/checkout/order_6?token=pm_card_visa")
    for request in shop.outside.webhooks():
        changed = request.body + b" "
        posted = shop.client.post("/webhooks", content=changed, headers=request.headers)
        assert posted.status_code == 400
    assert shop.example.shipped in ([], ["order_6"])


@pytest.mark.parametrize("through", ["fake", "simulator"])
def test_the_checkout_on_django_does_all_of_this(through: str) -> None:
    """In a process of its own: Django's settings are there once for each."""
    page = "tests/checkout_on_django.py"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rA", page],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PAYPORT_PROVIDER": through, "DJANGO_SETTINGS_MODULE": "shop.settings"},
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"^PASSED", done.stdout, re.MULTILINE)) == 10


# -- a key of one's own ---------------------------------------------------------------------------


def live(**env: str) -> subprocess.CompletedProcess[str]:
    clean = {name: text for name, text in os.environ.items() if not name.startswith("STRIPE_")}
    return subprocess.run(
        [sys.executable, "examples/live_stripe.py"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=clean | env,
        check=False,
    )


@pytest.mark.parametrize("key", ["", "sk_live_obviously_fake", "rk_live_fake", "pk_test_fake"])
def test_the_live_example_takes_test_keys_only(key: str) -> None:
    refused = live(STRIPE_API_KEY=key) if key else live()

    assert refused.returncode == 2
    assert refused.stdout == ""
    assert "STRIPE_API_KEY" in refused.stderr
    assert "dashboard.stripe.com" in refused.stderr
    assert not key or key not in refused.stderr


def test_the_live_example_pays_and_refunds_at_an_address_of_ones_choice() -> None:
    simulator = StripeSimulator()
    with serving(simulator.asgi()) as (url,):
        done = live(STRIPE_API_KEY="sk_test_obviously_fake", STRIPE_BASE_URL=url)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "paid: 49.99 USD pi_" in done.stdout
    assert "asked again, charged once: True" in done.stdout
    assert "declined: There is not enough money" in done.stdout
    assert "refunded: 10.00 USD succeeded re_" in done.stdout
    assert [(e.kind, e.minor) for e in simulator.bank.entries if e.kind != "fee"] == [
        ("charge", 4_999),
        ("refund", -1_000),
    ]


def test_the_live_example_says_what_went_wrong() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    failed = live(
        STRIPE_API_KEY="sk_test_obviously_fake", STRIPE_BASE_URL=f"http://127.0.0.1:{port}"
    )

    assert failed.returncode == 1
    assert failed.stderr.startswith("ProviderUnavailable: ")
    assert "Traceback" not in failed.stderr


# -- tests with the fake --------------------------------------------------------------------------


def test_the_example_tests_pass() -> None:
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "examples/test_with_fake.py")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
