"""All desks of one company, and what they share: who serves which request."""

from __future__ import annotations

from collections.abc import Callable

from payport.testing.adyen_simulator.asking import Ask, Scripted
from payport.testing.adyen_simulator.cards import registered
from payport.testing.adyen_simulator.errors import forbidden, refused
from payport.testing.adyen_simulator.memory import Memory
from payport.testing.adyen_simulator.methods import Methods
from payport.testing.adyen_simulator.methods_desk import MethodsDesk
from payport.testing.adyen_simulator.modifications_desk import ModificationsDesk
from payport.testing.adyen_simulator.notifications import Notifications
from payport.testing.adyen_simulator.parameters import PARAMETERS
from payport.testing.adyen_simulator.payments_desk import PaymentsDesk
from payport.testing.adyen_simulator.routes import Route
from payport.testing.adyen_simulator.sessions_desk import SessionsDesk
from payport.testing.adyen_simulator.telling import Telling
from payport.testing.adyen_simulator.validation import checked
from payport.testing.bank.bank import Bank
from payport.testing.bank.records import Refused
from payport.testing.simulation.documents import Doc, encode

__all__ = ["Desks"]


class Desks:
    """
    Serves everything.

    Attributes:
        memory: What is kept beside the bank.
        telling: What was told.
        notifications: What is told of changes.
        methods, payments, modifications, sessions: The parts, for settings of the account.
    """

    def __init__(self, bank: Bank) -> None:
        bank.vault.cards.update(registered())
        memory = Memory(bank)
        self.memory: Memory = memory
        self.telling: Telling = Telling(memory)
        self.notifications: Notifications = Notifications(memory, self.telling)
        self.methods: Methods = Methods(memory)
        self.payments: PaymentsDesk = PaymentsDesk(bank, memory, self.methods)
        self.modifications: ModificationsDesk = ModificationsDesk(bank, memory, self.telling)
        self.sessions: SessionsDesk = SessionsDesk(memory, self.methods, self.payments)
        stored = MethodsDesk(memory, self.methods)
        self.notifications.on_held = self.payments.on_held
        self._serve: dict[str, Callable[[Ask], Doc]] = {
            "payments": self.payments.payments,
            "details": self.payments.details,
            "sessions": self.sessions.sessions,
            "session": self.sessions.session,
            "captures": self.modifications.captures,
            "refunds": self.modifications.refunds,
            "cancels": self.modifications.cancels,
            "reversals": self.modifications.reversals,
            "cancels_by_reference": self.modifications.cancels_by_reference,
            "payment_methods": stored.payment_methods,
            "stored_methods": stored.stored_methods,
            "store_method": stored.store_method,
            "delete_method": stored.delete_method,
        }
        bank.listen(self.notifications.on_change)

    def serve(
        self, route: Route, fields: Doc, *, ref: str, key: str | None, psp: str, scripted: Scripted
    ) -> str:
        """
        Do what a request asks; return the document of the answer, in JSON.

        Args:
            fields: Its parameters as they came. For the rest see `Ask`.

        Raises:
            ApiError: It is not done.
        """
        params = checked(PARAMETERS[route.name], fields)
        account: str = params.get("merchantAccount", self.memory.accounts[0])
        if account not in self.memory.accounts:
            raise forbidden("901", "Invalid Merchant Account")
        ask = Ask(ref=ref, params=params, account=account, key=key, psp=psp, scripted=scripted)
        try:
            return encode(self._serve[route.name](ask))
        except Refused as error:
            raise refused(error) from error
