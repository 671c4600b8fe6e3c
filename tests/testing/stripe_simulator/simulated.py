"""What the simulator's tests share: a shop's server that speaks Stripe's wire by hand."""

import json
from typing import Any

import httpx

from payport.testing import StripeSimulator

KEY = "sk_test_obviously_fake"
NO_REDIRECTS = {
    "automatic_payment_methods[enabled]": "true",
    "automatic_payment_methods[allow_redirects]": "never",
}


class Shop:
    """A client of a simulator of its own."""

    def __init__(self, **options: Any) -> None:
        self.simulator = StripeSimulator(**options)
        self.bank = self.simulator.bank
        self.http = httpx.Client(
            transport=self.simulator.transport(), base_url="https://api.stripe.com"
        )
        self.headers = {"Authorization": f"Bearer {KEY}"}

    def send(self, method: str, path: str, *, key: str | None = None, **fields: Any):
        headers = dict(self.headers)
        if key is not None:
            headers["Idempotency-Key"] = key
        params = {name: str(value) for name, value in fields.items()}
        if method == "GET":
            return self.http.get(f"/v1/{path}", params=params, headers=headers)
        return self.http.post(f"/v1/{path}", data=params, headers=headers)

    def post(self, path: str, *, key: str | None = None, **fields: Any) -> Any:
        return self.send("POST", path, key=key, **fields).json()

    def get(self, path: str, **fields: Any) -> Any:
        return self.send("GET", path, **fields).json()

    def refuses(self, answer: httpx.Response, status: int, code: str | None = None) -> Any:
        assert answer.status_code == status, answer.text
        error = answer.json()["error"]
        assert error.get("code") == code
        return error

    def pay(self, method: str = "pm_card_visa", *, key: str | None = None, **more: Any) -> Any:
        return self.try_to_pay(method, key=key, **more).json()

    def try_to_pay(self, token: str, *, key: str | None = None, **more: Any) -> httpx.Response:
        fields = {"amount": 2_000, "currency": "usd", "confirm": "true", "payment_method": token}
        return self.send("POST", "payment_intents", key=key, **{**fields, **NO_REDIRECTS, **more})

    def hold(self, **more: Any) -> Any:
        return self.pay(capture_method="manual", **more)

    def events(self) -> list[Any]:
        return [json.loads(request.body) for request in self.simulator.webhooks()]

    def told(self) -> list[str]:
        return [event["type"] for event in self.events()]
