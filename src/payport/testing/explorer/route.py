"""
A route: what goes wrong in one payment between two processors, by a name that repeats it.

What shops ask for and which rules they route by is written down here; `Routes` carries it out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from payport.domain.errors import InvalidRequest
from payport.providers.routing.rules import Rule
from payport.testing.explorer.tasks import Work
from payport.testing.explorer.two_banks import FAULTS, NAMES, PRICE, REFERENCE

if TYPE_CHECKING:
    from payport.testing.explorer.processes import Process

__all__ = ["CHANGED", "RULES", "STORIES", "Route"]

_STRIPE, _ADYEN = NAMES
#: Rules of a process, and what they are changed to when another one starts.
RULES: Final[dict[str, Sequence[Rule]]] = {
    "first": (Rule([_STRIPE, _ADYEN]),),
    "second": (Rule([_ADYEN, _STRIPE]),),
    "move": (Rule(_ADYEN, from_attempt=2), Rule([_STRIPE, _ADYEN])),
    "back": (Rule(_STRIPE, from_attempt=2), Rule([_ADYEN, _STRIPE])),
}
CHANGED: Final = {"first": "second", "second": "first", "move": "back", "back": "move"}

#: What a shop asks for. Each is asked by a process that is there from its beginning to its end.
_VISA: Final = "pm_card_visa"
_POOR: Final = "pm_card_insufficient_funds"


async def _sale(process: Process) -> object:
    return await process.payments.create(
        reference=REFERENCE, amount=PRICE, payment_method=_VISA, confirm=True
    )


async def _two_steps(process: Process) -> object:
    made = await process.payments.create(reference=REFERENCE, amount=PRICE, payment_method=_VISA)
    return await process.payments.confirm(made.id)


async def _second_attempt(process: Process) -> object:
    ask = process.payments.create
    await ask(reference=REFERENCE, amount=PRICE, payment_method=_POOR, confirm=True)
    return await ask(
        reference=REFERENCE, amount=PRICE, payment_method=_VISA, confirm=True, attempt=2
    )


#: By name: what is asked for, and the rules that it may begin with.
STORIES: Final[dict[str, tuple[Callable[[Process], Work], Sequence[str]]]] = {
    "sale": (_sale, ("first", "second")),
    "two-steps": (_two_steps, ("first", "second")),
    "second-attempt": (_second_attempt, ("move", "back", "first")),
}


@dataclass(frozen=True, slots=True)
class Route:
    """
    What goes wrong.

    Attributes:
        rules: What the first process begins with; the second one has others.
        faults: What strikes which request, by its number from 0.
        open: The processor whose breaker is open in the first process.
        dies: The stop at which the first process dies, from 1; 0 for never.
        successor: Who comes after it.
        then: The stop at which the second one dies.
        races: How many stops each of two processes makes before the other goes on.
    """

    story: str
    rules: str
    faults: tuple[tuple[int, str], ...] = ()
    open: str = ""
    dies: int = 0
    successor: str = "again"
    then: int = 0
    races: tuple[int, int] | None = field(default=None)

    def __str__(self) -> str:
        faults = "+".join(f"{number} {fault}" for number, fault in self.faults) or "none"
        races = "" if self.races is None else f"/{self.races[0]}-{self.races[1]}"
        said = f"{self.story}/{self.rules}/{faults}/{self.open or 'well'}/{self.dies}"
        return f"{said}/{self.successor}/{self.then}{races}"

    @classmethod
    def parse(cls, name: str) -> Route:
        """
        The route with this name.

        Raises:
            InvalidRequest: It is no route's.
        """
        try:
            story, rules, faults, opened, dies, successor, then, *races = name.split("/")
            struck = [part.split(" ", 1) for part in faults.split("+") if faults != "none"]
            first, second = races[0].split("-") if races else ("0", "0")
            route = cls(
                story=story,
                rules=rules,
                faults=tuple((int(number), fault) for number, fault in struck),
                open="" if opened == "well" else opened,
                dies=int(dies),
                successor=successor,
                then=int(then),
                races=(int(first), int(second)) if races else None,
            )
        except (ValueError, IndexError):
            route = None
        known = route is not None and route.story in STORIES and route.rules in RULES
        if route is None or not known or any(fault not in FAULTS for _, fault in route.faults):
            message = "is no route: name one as a report does"
            raise InvalidRequest(message, operation="Route.parse", field="name")
        return route
