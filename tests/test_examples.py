"""The examples, the README and the documentation run as they are written."""

from __future__ import annotations

import re
import runpy
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn

from payport.testing import AsyncFakeProvider

ROOT = Path(__file__).parent.parent
PAGES = ["README.md", *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, cwd=ROOT, check=False
    )


@pytest.mark.parametrize("page", PAGES)
def test_the_code_on_a_page_runs_from_top_to_bottom(page: str) -> None:
    blocks = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))

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


def test_the_demo_moves_the_right_money_although_it_is_killed() -> None:
    done = run("examples/demo.py")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 killed, 0 orders moved the wrong money" in done.stdout
    assert "Stripe simulator: 288 recorded calls" in done.stdout


@dataclass
class Shop:
    """The checkout, served on a loopback port."""

    client: httpx.Client
    fake: AsyncFakeProvider
    shipped: list[str]

    def deliver(self) -> None:
        """Post what the provider sends to the shop's address."""
        for request in self.fake.webhooks():
            headers = {"bank-signature": request.header("bank-signature") or ""}
            posted = self.client.post("/webhooks", content=request.body, headers=headers)
            assert posted.status_code == 200


@pytest.fixture
def shop() -> Iterator[Shop]:
    example = runpy.run_path(str(ROOT / "examples" / "async_checkout.py"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(example["app"], log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        host, port = listening.getsockname()
        with httpx.Client(base_url=f"http://{host}:{port}", timeout=10) as client:
            wait_for(lambda: server.started)
            yield Shop(client, example["app"].state.fake, example["shipped"])
        server.should_exit = True
        thread.join(timeout=10)
    assert not thread.is_alive()


def wait_for(ready: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not ready():
        assert time.monotonic() < until, "the server did not start"
        time.sleep(0.01)


def test_the_checkout_ships_after_3d_secure(shop: Shop) -> None:
    sent = shop.client.post("/checkout/order_1?token=pm_card_authenticate").json()
    again = shop.client.post("/checkout/order_1?token=pm_card_authenticate").json()
    assert sent["redirect"] == again["redirect"]
    assert "redirect" in shop.client.get("/return/order_1").json()

    shop.fake.bank.authenticate("order_1", ok=True)
    shop.deliver()

    assert shop.client.get("/return/order_1").json() == {"paid": "49.99 USD"}
    assert shop.shipped == ["order_1"]


def test_the_checkout_tells_a_declined_customer_why(shop: Shop) -> None:
    told = shop.client.post("/checkout/order_2?token=pm_card_insufficient_funds").json()

    assert "not enough money" in told["declined"]


def test_the_checkout_rejects_what_the_provider_did_not_sign(shop: Shop) -> None:
    assert shop.client.post("/webhooks", content=b"{}").status_code == 400


def test_the_example_tests_pass() -> None:
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "examples/test_with_fake.py")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
