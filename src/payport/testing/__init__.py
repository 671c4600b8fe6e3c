"""
The testing kit: a bank in memory, a fake provider in front of it, clocks and faults.

Names are loaded when they are first used, so that the fake needs neither pytest nor hypothesis.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from payport.testing.adyen_simulator.simulator import AdyenSimulator
    from payport.testing.bank.bank import Bank
    from payport.testing.bank.behaviour import (
        Behaviour,
        adyen_like,
        keyless,
        redirecting,
        stripe_like,
    )
    from payport.testing.bank.books import Entry, EntryKind, Fees
    from payport.testing.bank.records import Refused
    from payport.testing.clock import FakeClock
    from payport.testing.explorer.explorer import CrashExplorer
    from payport.testing.fake_provider import AsyncFakeProvider, FakeProvider
    from payport.testing.faults import (
        Conflict,
        ConnectionRefused,
        Crash,
        CrashAfter,
        CrashBefore,
        Fault,
        Forbidden,
        Garbled,
        LostRequest,
        LostResponse,
        RateLimited,
        ServerError,
        Slow,
        TimedOut,
        Truncated,
        Unauthorized,
        Unavailable,
    )
    from payport.testing.script import As, Asked, Declined, Script
    from payport.testing.stripe_simulator.simulator import StripeSimulator
    from payport.testing.tokens import CARDS, Card, Tokens

__all__ = [
    "CARDS",
    "AdyenSimulator",
    "As",
    "Asked",
    "AsyncFakeProvider",
    "Bank",
    "Behaviour",
    "Card",
    "Conflict",
    "ConnectionRefused",
    "Crash",
    "CrashAfter",
    "CrashBefore",
    "CrashExplorer",
    "Declined",
    "Entry",
    "EntryKind",
    "FakeClock",
    "FakeProvider",
    "Fault",
    "Fees",
    "Forbidden",
    "Garbled",
    "LostRequest",
    "LostResponse",
    "RateLimited",
    "Refused",
    "Script",
    "ServerError",
    "Slow",
    "StripeSimulator",
    "TimedOut",
    "Tokens",
    "Truncated",
    "Unauthorized",
    "Unavailable",
    "adyen_like",
    "keyless",
    "redirecting",
    "stripe_like",
]

#: Which module of this package holds which names.
_HOMES = {
    "adyen_simulator.simulator": ("AdyenSimulator",),
    "bank.bank": ("Bank",),
    "bank.behaviour": ("Behaviour", "adyen_like", "keyless", "redirecting", "stripe_like"),
    "bank.books": ("Entry", "EntryKind", "Fees"),
    "bank.records": ("Refused",),
    "clock": ("FakeClock",),
    "explorer.explorer": ("CrashExplorer",),
    "fake_provider": ("AsyncFakeProvider", "FakeProvider"),
    "faults": (
        *("Conflict", "ConnectionRefused", "Crash", "CrashAfter", "CrashBefore", "Fault"),
        *("Forbidden", "Garbled", "LostRequest", "LostResponse", "RateLimited", "ServerError"),
        *("Slow", "TimedOut", "Truncated", "Unauthorized", "Unavailable"),
    ),
    "script": ("As", "Asked", "Declined", "Script"),
    "stripe_simulator.simulator": ("StripeSimulator",),
    "tokens": ("CARDS", "Card", "Tokens"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:  # whatever the module holds
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
