"""What each operation asks of Stripe, and what a restricted key needs for it: by running them."""

import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from payport import CaptureMethod, Money
from payport.domain.frozen import FrozenMapping
from payport.providers.commands import ConfirmPayment, CreatePayment
from payport.providers.exchange import Request
from payport.providers.stripe.adapter import StripeAdapter
from payport.testing.stripe_simulator.forms import decode
from payport.testing.stripe_simulator.routes import needed, route_of
from stripe_tables.markdown import code, listed, table
from stripe_tables.scenarios import SCENARIOS, Scenario
from stripe_tables.shop import Shop, settings

__all__ = ["TABLES", "least", "needed_for", "sent"]


def sent(scenario: Scenario) -> list[Request]:
    """What an operation sends, one request of a kind."""
    shop = Shop(multicapture=scenario.multicapture)
    act = scenario.prepare(shop)
    shop.requests.clear()
    act()
    routes: dict[str, Request] = {}
    for request in shop.requests:
        routes.setdefault(_path(request), request)
    return list(routes.values())


_IDS = ((r"\bpi_\w+", "{payment}"), (r"\bre_\w+", "{refund}"), (r"\bcus_\w+", "{customer}"))
_ID = re.compile("|".join(f"({shape})" for shape, _ in _IDS))


def _named(text: str) -> str:
    for shape, name in _IDS:
        text = re.sub(shape, name, text)
    return re.sub(r"\bpm_[0-9a-zA-Z]*\d\w*", "{saved method}", re.sub(r"pp1_\d+", "{key}", text))


def _path(request: Request) -> str:
    return f"{request.method} {_named(urlsplit(request.target).path)}"


def _fields(request: Request) -> dict[str, str]:
    text = request.body.decode() or urlsplit(request.target).query
    return {name: _named(value) for name, value in parse_qsl(text, keep_blank_values=True)}


def requests_table() -> str:
    """Operation, occasion, request, and the fields with what was written in them."""
    rows = []
    for scenario in SCENARIOS:
        for number, request in enumerate(sent(scenario)):
            fields = (f"{name}={value}" for name, value in _fields(request).items())
            kind = "changes" if request.mutates else "reads"
            first = (code(scenario.operation), scenario.when) if number == 0 else ("", "and then")
            rows.append((*first, f"{code(_path(request))} ({kind})", listed(fields)))
    return table(("operation", "when", "request", "fields"), rows)


def steps_table() -> str:
    """How many requests of an operation change something, each with its step's name."""
    steps: dict[str, set[tuple[int, str]]] = {}
    for scenario in SCENARIOS:
        changing = [request for request in sent(scenario) if request.mutates]
        steps.setdefault(scenario.operation, set()).add(
            (len(changing), ", ".join(repr(request.step) for request in changing))
        )
    rows = []
    for operation, told in steps.items():
        counts = sorted({count for count, _ in told})
        names = sorted({name for _, name in told if name})
        rows.append((code(operation), " or ".join(map(str, counts)), listed(names)))
    return table(("operation", "requests that change something", "step"), rows)


# -- arguments ------------------------------------------------------------------------------------

_CHANGED: dict[str, Any] = {
    "amount": Money(777, "EUR"),
    "payment_method": "pm_other",
    "customer": "cus_1",
    "capture_method": CaptureMethod.MANUAL,
    "off_session": True,
    "save_payment_method": True,
    "return_url": "https://shop.example/back",
    "description": "Two apples",
    "statement_descriptor": "APPLES",
    "receipt_email": "ann@shop.example",
    "metadata": FrozenMapping({"colour": "green"}),
}


def arguments_table() -> str:
    """Which fields an argument of the application's changes: found by changing it."""
    shop, adapter = Shop(), StripeAdapter(settings())
    new, old = shop.creating(), shop.confirming("pi_1")

    def changed(command: CreatePayment | ConfirmPayment, name: str, value: Any) -> list[str]:
        terms = {field: getattr(command.terms, field) for field in _CHANGED}
        both = [
            _fields(adapter.render(_with(command, {**terms, **more}), "pp1_1"))
            for more in ({}, {name: value})
        ]
        fields = dict.fromkeys([*both[0], *both[1]])
        return [
            f"{field}={both[1][field]}" if field in both[1] else f"{field} left out"
            for field in fields
            if both[0].get(field) != both[1].get(field)
        ]

    rows = [
        (
            code(f"{name}={_shown(value)}"),
            listed(changed(new, name, value)),
            listed(changed(old, name, value)),
        )
        for name, value in _CHANGED.items()
    ]
    return table(("argument", "changes in `create_payment`", "changes in `confirm_payment`"), rows)


def _with(command: Any, terms: dict[str, Any]) -> Any:
    return replace(command, terms=replace(command.terms, **terms))


def _shown(value: Any) -> str:
    if isinstance(value, FrozenMapping):
        return repr(dict(value))
    return repr(value.value) if isinstance(value, CaptureMethod) else repr(value)


# -- permissions ----------------------------------------------------------------------------------


def needed_for(request: Request) -> frozenset[str]:
    """What a restricted key needs for one request."""
    parts = urlsplit(request.target)
    found = route_of(request.method, parts.path)
    if found is None:
        message = f"nobody knows {request.method} {parts.path}"
        raise LookupError(message)
    return needed(found[0], decode(request.body.decode() or parts.query))


def least(permissions: frozenset[str]) -> list[str]:
    """The same without what is included: who may write may read."""
    return sorted(
        permission
        for permission in permissions
        if f"{permission.removesuffix('_read')}_write" not in permissions
        or permission.endswith("_write")
    )


def permissions_table() -> str:
    """The least that a restricted key has to be allowed, by operation, and in all."""
    by_operation: dict[str, frozenset[str]] = {}
    for scenario in SCENARIOS:
        asked = frozenset[str]().union(*(needed_for(request) for request in sent(scenario)))
        known = by_operation.get(scenario.operation, frozenset())
        by_operation[scenario.operation] = known | asked
    everything = frozenset[str]().union(*by_operation.values())
    rows = [
        (code(operation), listed(f"rak_{one}" for one in least(asked)))
        for operation, asked in by_operation.items()
    ]
    rows.append(("all of them", listed(f"rak_{one}" for one in least(everything))))
    return table(("operation", "least permissions"), rows)


TABLES = {
    "requests": requests_table,
    "steps": steps_table,
    "arguments": arguments_table,
    "permissions": permissions_table,
}
