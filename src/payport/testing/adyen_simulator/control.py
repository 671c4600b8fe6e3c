"""
The control surface of the simulator behind a socket: that of all simulators, and some routes more.

    GET  /_control/events                 the event codes of all items, and whether they succeeded
    POST /_control/forget_keys            {"keys": ["..."]}; none for all of them
    POST /_control/return_url             {"name": "...", "ok": true}: the shopper comes back
    POST /_control/pay_session            {"session": "CS...", "paymentMethod": {...}}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from payport.testing.adyen_simulator.errors import ApiError
from payport.testing.simulation.control import Control
from payport.testing.simulation.documents import Doc

if TYPE_CHECKING:
    from payport.testing.adyen_simulator.simulator import AdyenSimulator

__all__ = ["AdyenControl"]


class AdyenControl(Control):
    """Serves the control surface."""

    def __init__(self, simulator: AdyenSimulator) -> None:
        super().__init__(simulator)
        self._adyen = simulator
        self.serves["GET", "events"] = self._events
        self.serves["POST", "forget_keys"] = self._forget_keys
        self.serves["POST", "return_url"] = self._return_url
        self.serves["POST", "pay_session"] = self._pay_session

    def _events(self, fields: Doc) -> Doc:
        del fields
        with self._adyen.bank.open():
            kept = self._adyen.server.desks.telling.kept
            return {
                "events": [
                    {"id": notice.id, "type": notice.type, "success": notice.item["success"]}
                    for notice in kept
                ]
            }

    def _forget_keys(self, fields: Doc) -> Doc:
        keys: list[str] = fields.get("keys", [])
        self._adyen.forget_keys(*keys)
        return {}

    def _return_url(self, fields: Doc) -> Doc:
        back = self._adyen.return_url(fields["name"], ok=bool(fields.get("ok", True)))
        return {"return_url": back}

    def _pay_session(self, fields: Doc) -> Doc:
        try:
            psp = self._adyen.pay_session(fields["session"], fields["paymentMethod"])
        except ApiError as error:
            raise ValueError(error.message) from error
        return {"pspReference": psp}
