"""Adyen's own description of its API, and whether what was said fits it."""

import copy
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

DATA = Path(__file__).parents[2] / "data" / "adyen"
_JSON = "application/json"


@cache
def described(name: str) -> Any:
    document = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    if name == "webhooks-v1":
        _allow_what_the_examples_have(document)
    return document


def _allow_what_the_examples_have(document: Any) -> None:
    """
    Webhooks are described more narrowly than they are: `metadata` as an object, beside a text about
    fields `metadata.<name>`; and the general kind without the signature. Adyen's examples say how.
    """
    components = document["components"]
    shown: dict[str, Any] = {"hmacSignature": {"type": "string"}}
    for example in components["examples"].values():
        for wrapper in example["value"]["notificationItems"]:
            told = wrapper["NotificationRequestItem"].get("additionalData", {})
            shown |= {name: {"type": "string"} for name in told}
    for name, schema in components["schemas"].items():
        if name.endswith("AdditionalData"):
            schema["patternProperties"] = {r"^metadata\.": {"type": "string"}}
            schema["properties"] = {**shown, **schema["properties"]}


@cache
def validator(name: str, pointer: str) -> Draft202012Validator:
    contents = copy.deepcopy(described(name))
    resource = DRAFT202012.create_resource(contents)
    registry: Any = Registry().with_resource(f"urn:{name}", resource)
    return Draft202012Validator({"$ref": f"urn:{name}#{pointer}"}, registry=registry)


def check(name: str, pointer: str, value: Any) -> None:
    problems = [
        f"{error.json_path}: {error.message[:300]}"
        for error in validator(name, pointer).iter_errors(value)
    ]
    assert not problems, problems


def operation_at(method: str, path: str) -> tuple[str, Any]:
    """The JSON pointer and the description of what a request asks for."""
    for template, methods in described("checkout-v72")["paths"].items():
        pattern = re.sub(r"\{\w+\}", "[^/]+", template)
        if re.fullmatch(pattern, path) and method.lower() in methods:
            if "{" in template and path in described("checkout-v72")["paths"]:
                continue
            escaped = template.replace("~", "~0").replace("/", "~1")
            return f"/paths/{escaped}/{method.lower()}", methods[method.lower()]
    raise AssertionError(f"Adyen describes no {method} {path}")


class DescribedTransport(httpx.BaseTransport):
    """Passes requests on, and checks that what was taken and what was answered is as described."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        try:
            answered = json.loads(response.read()) if response.content else None
        except ValueError:
            return response  # something in between, or half an answer
        self.check(request, response, answered)
        return response

    @staticmethod
    def check(request: httpx.Request, response: httpx.Response, answered: Any) -> None:
        if response.status_code >= 400:
            check("checkout-v72", "/components/schemas/ServiceError", answered)
            assert answered["status"] == response.status_code
            return
        path = request.url.path.removeprefix("/v72")
        pointer, operation = operation_at(request.method, path)
        assert str(response.status_code) in operation["responses"]
        if request.method == "POST":
            where = f"{pointer}/requestBody/content/application~1json/schema"
            check("checkout-v72", where, json.loads(request.content))
        else:
            required = {p["name"] for p in operation["parameters"] if p.get("required")}
            required -= {"sessionId", "storedPaymentMethodId"}
            assert required <= set(request.url.params)
        content = operation["responses"][str(response.status_code)].get("content")
        if content is None:
            assert answered is None
        else:
            where = f"{pointer}/responses/{response.status_code}/content/application~1json/schema"
            check("checkout-v72", where, answered)


def check_webhook(body: Any) -> None:
    """Whether a webhook's items are each as their event is described."""
    assert set(body) == {"live", "notificationItems"}
    assert body["notificationItems"]
    for wrapper in body["notificationItems"]:
        code = wrapper["NotificationRequestItem"]["eventCode"]
        one = {"live": body["live"], "notificationItems": [wrapper]}
        where = f"/webhooks/{code}/post/requestBody/content/application~1json/schema"
        check("webhooks-v1", where, one)
