"""
The parts of the report that need Stripe's SDK: answers read, requests sent, typed calls made.

Each part checks everything there is, and tells what failed instead of stopping at it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import stripe
from reading import readings
from sdk_calls import called, called_async, in_process
from sdk_types import TYPES, misfits
from sending import everything_sent

from payport.testing import StripeSimulator
from payport.testing.stripe_simulator.routes import ROUTES

__all__ = ["Section", "answers_read", "calls_made", "requests_sent", "sections"]

_SENT = {200, 402}  # done, or declined: what a request asked for was understood


@dataclass(frozen=True, kw_only=True)
class Section:
    """
    One part of the report.

    Attributes:
        counts: What was checked, by kind.
        faults: What failed.
    """

    summary: str
    counts: Counter[str]
    faults: tuple[str, ...]


def sections() -> tuple[Section, ...]:
    """All of them."""
    return tuple(_carried_out(part) for part in (answers_read, requests_sent, calls_made))


def _carried_out(part: Callable[[], Section]) -> Section:
    """A part, or what it broke off with: the others are told all the same."""
    try:
        return part()
    except Exception as error:  # noqa: BLE001 - whatever is raised is what is reported
        what = f"{part.__name__} broke off: {error!r}"
        return Section(summary=what, counts=Counter(), faults=(what,))


def answers_read() -> Section:
    """Real answers, samples and webhooks, read by the adapter."""
    counts: Counter[str] = Counter()
    faults: list[str] = []
    for reading in readings():
        counts[reading.kind] += 1
        try:
            reading.check()
        except Exception as error:  # noqa: BLE001 - whatever is raised is what is reported
            faults.append(f"{reading.kind}: {reading.name}: {error!r}")
    total = counts.total()
    summary = f"Stripe adapter: {total - len(faults)} of {total} real answers and samples are read"
    return Section(summary=summary, counts=counts, faults=tuple(faults))


def requests_sent() -> Section:
    """Requests of the adapter's, held against the SDK's parameter types."""
    sent = everything_sent()
    counts = Counter(one.route for one in sent)
    faults = [
        f"{one.what}: {one.route}: {misfit}"
        for one in sent
        for misfit in misfits(one.form, TYPES[one.route])
    ]
    faults += [
        f"{one.what}: {one.route} was answered {one.status}"
        for one in sent
        if one.status not in _SENT
    ]
    faults += [f"{route} was never sent" for route in TYPES.keys() - counts.keys()]
    total, kinds = counts.total(), len(counts)
    fits = "fit the SDK's parameter types" if not faults else f"have {len(faults)} faults"
    summary = f"Stripe adapter: {total} requests of {kinds} kinds {fits}"
    return Section(summary=summary, counts=counts, faults=tuple(faults))


def calls_made() -> Section:
    """Every endpoint of the simulator, called by the plain SDK in both colours."""
    counts: Counter[str] = Counter()
    faults: list[str] = []
    routes = {route.name for route in ROUTES.values()}
    with _without_telemetry():
        one, other = StripeSimulator(), StripeSimulator()
        awaited = called_async(in_process(other), other.clock.advance)
        colours = {
            "sync": called(in_process(one), one.clock.advance),
            "async": asyncio.run(awaited),
        }
    for colour, made in colours.items():
        counts[colour] = len({call.route for call, _ in made})
        faults += [
            f"{colour} {call.service} returned a {type(told).__name__}"
            for call, told in made
            if type(told) is not call.kind
        ]
        missed = routes - {call.route for call, _ in made}
        faults += [f"{colour}: {name} was never called" for name in sorted(missed)]
    summary = (
        f"Stripe SDK {stripe.VERSION}: {counts['sync']} of {len(routes)} endpoints called sync,"
        f" {counts['async']} async, {len(faults)} faults"
    )
    return Section(summary=summary, counts=counts, faults=tuple(faults))


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """The SDK would write a file into the home directory."""
    before = stripe.enable_telemetry
    stripe.enable_telemetry = False
    try:
        yield
    finally:
        stripe.enable_telemetry = before
