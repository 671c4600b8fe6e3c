"""All desks of one account, and what they share: who serves which route."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from payport.domain.identifiers import Environment
from payport.testing.bank.bank import Bank
from payport.testing.bank.records import Refused
from payport.testing.simulation.documents import encode
from payport.testing.stripe_simulator.asking import Ask, Outcome, refused
from payport.testing.stripe_simulator.cards import STRIPE_CARDS
from payport.testing.stripe_simulator.effects import Effects
from payport.testing.stripe_simulator.errors import Doc
from payport.testing.stripe_simulator.events import Events
from payport.testing.stripe_simulator.expanding import check_paths, expand
from payport.testing.stripe_simulator.memory import Memory
from payport.testing.stripe_simulator.methods_desk import MethodsDesk
from payport.testing.stripe_simulator.objects import Payments
from payport.testing.stripe_simulator.parameters import PARAMETERS
from payport.testing.stripe_simulator.payments_desk import PaymentsDesk
from payport.testing.stripe_simulator.payouts_desk import PayoutsDesk
from payport.testing.stripe_simulator.reads_desk import ReadsDesk
from payport.testing.stripe_simulator.refunds_desk import RefundsDesk
from payport.testing.stripe_simulator.routes import ROUTES, Route
from payport.testing.stripe_simulator.validation import checked

__all__ = ["Desks"]


class Desks:
    """
    Serves everything.

    Attributes:
        memory: What is kept beside the bank.
        events: What is told of changes.
    """

    def __init__(self, bank: Bank, *, search_lag: timedelta) -> None:
        live = bank.environment is Environment.LIVE
        bank.vault.cards.update(STRIPE_CARDS)
        memory = Memory(bank)
        self.memory: Memory = memory
        payments = Payments(memory, live=live)
        effects = Effects(memory, live=live)
        payouts = PayoutsDesk(memory, effects, live=live)
        events = Events(memory, payments, effects, payouts, live=live)
        self.events: Events = events
        methods = MethodsDesk(memory, effects, events, live=live)
        self._reads = ReadsDesk(
            memory, payments, effects, events, payouts, live=live, search_lag=search_lag
        )
        desks = (
            PaymentsDesk(bank, memory, payments, methods),
            RefundsDesk(bank, memory, effects),
            methods,
            payouts,
            self._reads,
        )
        self._serve: dict[str, Callable[[Ask], Doc]] = {
            route.name: next(getattr(d, route.name) for d in desks if hasattr(d, route.name))
            for route in ROUTES.values()
        }
        bank.listen(events.on_change)

    def find(self, ref: str) -> Doc | None:
        """The object with an id of Stripe's; None where there is none."""
        return self._reads.find(ref)

    def serve(
        self, route: Route, fields: Doc, *, ref: str, path: str, key: str | None, outcome: Outcome
    ) -> str:
        """
        Do what a request asks; return the document of the answer, in JSON.

        Args:
            fields: Its parameters as they came. For the rest see `Ask`.

        Raises:
            ApiError: It is not done.
        """
        params = checked(PARAMETERS[route.name], fields)
        paths = params.get("expand", ())
        if paths:
            check_paths(route.kind, paths, is_list=route.is_list)
        self.memory.began = self.memory.vault.latest()
        ask = Ask(ref=ref, path=path, params=params, key=key, outcome=outcome)
        try:
            document = self._serve[route.name](ask)
        except Refused as error:
            raise refused(error) from error
        if paths:
            expand(document, paths, self.find, self._reads.more)
        return encode(document)
