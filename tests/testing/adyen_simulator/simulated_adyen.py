"""What the simulator's tests share: a shop's server that speaks Adyen's wire by hand."""

import json
from typing import Any

import httpx
from adyen_description import DescribedTransport, check_webhook

from payport.testing import AdyenSimulator
from payport.testing.adyen_simulator import MERCHANT_ACCOUNT

KEY = "test_obviously_fake"
CARD = {
    "type": "scheme",
    "encryptedCardNumber": "test_4111111111111111",
    "encryptedExpiryMonth": "test_03",
    "encryptedExpiryYear": "test_2030",
    "encryptedSecurityCode": "test_737",
}
RETURN_URL = "https://shop.example/back?order=1"


def card(number: str = "4111111111111111", **more: str) -> dict[str, str]:
    return {**CARD, "encryptedCardNumber": f"test_{number}", **more}


def euros(value: int, currency: str = "EUR") -> dict[str, Any]:
    return {"currency": currency, "value": value}


class Shop:
    """A client of a simulator of its own. All that it says and hears is checked."""

    def __init__(self, **options: Any) -> None:
        self.simulator = AdyenSimulator(**options)
        self.bank = self.simulator.bank
        transport = DescribedTransport(self.simulator.transport())
        self.http = httpx.Client(
            transport=transport, base_url="https://checkout-test.adyen.com/v72"
        )
        self.account = MERCHANT_ACCOUNT
        self.headers = {"X-API-Key": KEY}

    def send(self, path: str, *, key: str | None = None, **fields: Any) -> httpx.Response:
        headers = dict(self.headers)
        if key is not None:
            headers["Idempotency-Key"] = key
        body = {"merchantAccount": self.account, **fields}
        told = {name: value for name, value in body.items() if value is not None}
        return self.http.post(path, json=told, headers=headers)

    def get(self, path: str, **params: str) -> httpx.Response:
        return self.http.get(path, params=params, headers=self.headers)

    def try_to_pay(
        self, method: dict[str, str] | None = None, *, key: str | None = None, **more: Any
    ) -> httpx.Response:
        fields = {
            "amount": euros(1_000),
            "reference": "order_1",
            "paymentMethod": CARD if method is None else method,
            "returnUrl": RETURN_URL,
        }
        return self.send("/payments", key=key, **{**fields, **more})

    def pay(self, method: dict[str, str] | None = None, **more: Any) -> Any:
        answer = self.try_to_pay(method, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def hold(self, method: dict[str, str] | None = None, **more: Any) -> Any:
        return self.pay(method, additionalData={"manualCapture": "true"}, **more)

    def details(self, result: str, *, name: str = "redirectResult", **more: Any) -> httpx.Response:
        # Adyen's details carry no merchant account.
        return self.send("/payments/details", merchantAccount=None, details={name: result}, **more)

    def modify(self, what: str, psp: str, *, key: str | None = None, **more: Any) -> Any:
        answer = self.send(f"/payments/{psp}/{what}", key=key, **more)
        assert answer.status_code == 201, answer.text
        assert answer.json()["status"] == "received"
        return answer.json()

    def refuses(self, answer: httpx.Response, status: int, code: str) -> Any:
        assert answer.status_code == status, answer.text
        error = answer.json()
        assert error["errorCode"] == code, error
        return error

    def items(self) -> list[Any]:
        """The notification items that nobody took yet."""
        items = []
        for request in self.simulator.webhooks():
            body = json.loads(request.body)
            check_webhook(body)
            items += [one["NotificationRequestItem"] for one in body["notificationItems"]]
        return items

    def told(self) -> list[tuple[str, bool]]:
        return [(item["eventCode"], item["success"] == "true") for item in self.items()]
