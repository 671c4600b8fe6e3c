"""The simulator behind a socket, awaited, and controlled from outside."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from loopback import SimulatorProcess
from simulated_adyen import CARD, KEY, RETURN_URL, Shop, card, euros

from payport import Money
from payport.testing import AdyenSimulator, LostResponse
from payport.testing.adyen_simulator import MERCHANT_ACCOUNT
from payport.testing.adyen_simulator import __main__ as command
from payport.testing.adyen_simulator.control import AdyenControl
from payport.testing.simulation.asgi import AsgiApp

PAYMENT = {
    "merchantAccount": MERCHANT_ACCOUNT,
    "amount": euros(1_000),
    "reference": "order_1",
    "paymentMethod": CARD,
    "returnUrl": RETURN_URL,
}


@pytest.fixture(scope="module")
def process():
    running = SimulatorProcess(module="adyen_simulator")
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def remote(process):
    with httpx.Client(base_url=f"{process.url}/v72", trust_env=False) as http:
        http.headers["X-API-Key"] = KEY
        yield http


def test_a_client_of_another_process_pays_and_refunds(process, remote):
    paid = remote.post("/payments", json={**PAYMENT, "reference": "remote_1"}).json()
    assert paid["resultCode"] == "Authorised"
    refund = {"merchantAccount": MERCHANT_ACCOUNT, "amount": euros(400)}
    answer = remote.post(f"/payments/{paid['pspReference']}/refunds", json=refund)
    assert answer.status_code == 201
    told = process.control("charged?name=remote_1")
    assert (told["charged"], told["refunded"]) == (1_000, 400)
    events = [event["type"] for event in process.control("events")["events"]]
    assert events[-2:] == ["AUTHORISATION", "REFUND"]


def test_an_answer_is_lost_on_the_wire_and_asked_for_again(process, remote):
    process.control("next", operation="create_payment", fault="LostResponse")
    headers = {"Idempotency-Key": "lost_1"}
    asked = {**PAYMENT, "reference": "lost_1"}
    with pytest.raises(httpx.TransportError):
        remote.post("/payments", json=asked, headers=headers)
    assert remote.post("/payments", json=asked, headers=headers).status_code == 200
    assert process.control("charged?name=lost_1")["charged"] == 1_000
    process.control("forget_keys", keys=["lost_1"])
    remote.post("/payments", json=asked, headers=headers)
    assert process.control("charged?name=lost_1")["payments"] == 2


def test_many_connections_with_one_key_charge_once(process, remote):
    headers = {"Idempotency-Key": "many_1"}
    asked = {**PAYMENT, "reference": "many_1"}
    with ThreadPoolExecutor(8) as pool:
        sent = [
            pool.submit(remote.post, "/payments", json=asked, headers=headers) for _ in range(8)
        ]
        statuses = {one.result().status_code for one in sent}
    assert statuses <= {200, 422}
    assert 200 in statuses
    assert process.control("charged?name=many_1")["payments"] == 1


def test_what_a_shopper_does_is_told_over_the_control_surface(process, remote):
    asked = {**PAYMENT, "reference": "3ds_1", "paymentMethod": card("4212345678901237")}
    assert remote.post("/payments", json=asked).json()["resultCode"] == "RedirectShopper"
    back = process.control("return_url", name="3ds_1", ok=True)["return_url"]
    result = httpx.URL(back).params["redirectResult"]
    done = remote.post("/payments/details", json={"details": {"redirectResult": result}})
    assert done.json()["resultCode"] == "Authorised"


def test_it_runs_until_it_is_idle(capsys):
    assert command.main(["--idle", "0"]) == 0
    assert capsys.readouterr().out.startswith("http://127.0.0.1:")


def test_an_async_client_is_answered_alike():
    simulator = AdyenSimulator()
    transport = simulator.async_transport()

    async def pay():
        async with httpx.AsyncClient(transport=transport, base_url="https://x.invalid/v72") as http:
            http.headers["X-API-Key"] = KEY
            simulator.next("create_payment", LostResponse())
            with pytest.raises(httpx.ReadError):
                await http.post("/payments", json=PAYMENT, headers={"Idempotency-Key": "k1"})
            return await http.post("/payments", json=PAYMENT, headers={"Idempotency-Key": "k1"})

    assert asyncio.run(pay()).json()["resultCode"] == "Authorised"
    assert simulator.bank.charged("k1") == Money(1_000, "EUR")


def test_a_script_of_its_own_is_for_one_transport_alone():
    simulator = AdyenSimulator()
    script = simulator.new_script()
    script.next("create_payment", LostResponse())
    headers = {"X-API-Key": KEY}
    address = "https://checkout-test.adyen.com/v72/payments"
    with httpx.Client(transport=simulator.transport()) as other:
        assert other.post(address, json=PAYMENT, headers=headers).status_code == 200
    with (
        httpx.Client(transport=simulator.transport(script)) as http,
        pytest.raises(httpx.ReadError),
    ):
        http.post(address, json=PAYMENT, headers=headers)


# -- controlled ----------------------------------------------------------------------------------


def do(simulator, path, **fields):
    told = json.dumps(fields).encode()
    return AdyenControl(simulator).handle("POST", f"/_control/{path}", "", told)


def test_a_session_is_paid_over_the_control_surface():
    shop = Shop()
    asked = {"amount": euros(1_000), "reference": "order_1", "returnUrl": RETURN_URL}
    made = shop.send("/sessions", **asked).json()
    status, answer = do(shop.simulator, "pay_session", session=made["id"], paymentMethod=CARD)
    assert status == 200
    assert shop.bank.charged(answer["pspReference"]) == Money(1_000, "EUR")
    bad = {"type": "klarna"}
    assert do(shop.simulator, "pay_session", session=made["id"], paymentMethod=bad)[0] == 400
    assert do(shop.simulator, "pay_session", session="CS", paymentMethod=CARD)[0] == 400
    assert do(shop.simulator, "return_url", name="nobody's")[0] == 400


def test_the_application_has_the_control_surface():
    app = AdyenSimulator().asgi()
    assert isinstance(app, AsgiApp)
    routes = AdyenControl(AdyenSimulator()).handle("GET", "/_control/", "", b"")[1]["routes"]
    assert {"GET /_control/events", "POST /_control/forget_keys"} <= set(routes)


def test_what_arrives_may_be_listened_to():
    shop = Shop()
    heard = []
    shop.simulator.listen(heard.append)
    shop.pay()
    assert [(one.method, one.target) for one in heard] == [("POST", "/v72/payments")]


def test_it_says_which_version_it_speaks():
    assert "v72" in repr(AdyenSimulator())
