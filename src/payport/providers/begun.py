"""
Exchanges that were begun to render their first request, kept for the call that carries them out.

An operation is rendered to be written down, and sent a moment later: going on with the exchange
that rendered it spares rendering it once more. Nothing depends on it, so few are kept and not for
long: where there is none, a call begins anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from payport.providers.commands import Command
    from payport.providers.exchange import Exchange, Request
    from payport.providers.outcomes import Outcome

__all__ = ["Begun", "BegunExchange"]

#: As many as may be written down at one time. What is never sent is in the way of others then.
_MOST: Final = 64


class BegunExchange(NamedTuple):
    """An exchange, and its first request, where it is begun already."""

    exchange: Exchange[Outcome]
    first: Request | None = None


class Begun:
    """What one provider has begun; safe to share between threads, as each has its own keys."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Command, BegunExchange]] = {}

    def keep(self, command: Command, key: str, begun: BegunExchange) -> None:
        """Keep an exchange, unless its request must not outlive its call."""
        if begun.first is None or not begun.first.storable:
            return
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[key] = command, begun

    def take(self, command: Command, key: str) -> BegunExchange | None:
        """The exchange that was begun with this very command and key, once."""
        kept = self._kept.pop(key, None)
        return kept[1] if kept is not None and kept[0] is command else None
