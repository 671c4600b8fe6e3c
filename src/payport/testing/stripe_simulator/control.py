"""
The control surface of the simulator behind a socket: that of all simulators, and one route more.

    GET  /_control/events                 the types of all events
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from payport.testing.simulation.control import Control
from payport.testing.simulation.documents import Doc

if TYPE_CHECKING:
    from payport.testing.stripe_simulator.simulator import StripeSimulator

__all__ = ["StripeControl"]


class StripeControl(Control):
    """Serves the control surface."""

    def __init__(self, simulator: StripeSimulator) -> None:
        super().__init__(simulator)
        self._server = simulator.server
        self.serves["GET", "events"] = self._events

    def _events(self, fields: Doc) -> Doc:
        del fields
        with self._bank.open():
            kept = self._server.desks.events.kept
            return {"events": [{"id": event.id, "type": event.type} for event in kept]}
