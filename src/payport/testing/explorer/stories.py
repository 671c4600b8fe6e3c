"""
What customers want: stories of orders, each a sequence of wishes that belong together.

A wish is asked for under one identity however often it is asked. Stories are made of what the
provider can do, so that every operation of the client's is asked for at every provider that has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from payport.domain.frozen import FrozenMapping
from payport.domain.identifiers import Kind, derive_id
from payport.domain.money import Money
from payport.providers.spec import Capability
from payport.testing.explorer.processes import SCOPE
from payport.testing.tokens import Tokens

if TYPE_CHECKING:
    from payport.testing.explorer.processes import Process
    from payport.testing.explorer.tasks import Work
    from payport.testing.explorer.world import World

__all__ = ["STORIES", "Order", "Story", "Wish"]

PRICE: Final = Money(9_000, "USD")
_PART: Final = Money(2_000, "USD")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """
    One operation, as an application asks for it.

    Attributes:
        method: Of the client: `payments.create`, `refunds.create` and so on.
        given: Its arguments beside the order's.
    """

    method: str
    given: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def ask(self, process: Process, order: str, payment: str) -> Work:
        """Ask a process for it."""
        if self.method == "payments.create":
            return process.payments.create(reference=order, amount=PRICE, **self.given)
        if self.method == "refunds.create":
            given = {**self.given, "reference": f"{order}.{self.given['reference']}"}
            return process.refunds.create(payment=payment, **given)
        call: Callable[..., Work] = getattr(process.payments, self.method.removeprefix("payments."))
        return call(payment, **self.given)

    def __str__(self) -> str:
        told = [self.method, *(str(self.given[n]) for n in ("reference", "attempt") if n in self.given)]
        return " ".join(told)


@dataclass(slots=True)
class Order:
    """
    One order, and how far its story came.

    Attributes:
        at: Which wish is next.
        tries: How often it was asked for.
    """

    reference: str
    payment: str
    wishes: Sequence[Wish]
    at: int = 0
    tries: int = 0

    @property
    def wish(self) -> Wish | None:
        """What is wanted next; None at the end."""
        return self.wishes[self.at] if self.at < len(self.wishes) else None

    def ask(self, wish: Wish, process: Process) -> Work:
        """Ask a process for one of the order's wishes."""
        return wish.ask(process, self.reference, self.payment)

    @classmethod
    def of(cls, world: World, reference: str, wishes: Sequence[Wish]) -> Order:
        """An order of this world."""
        payment = derive_id(Kind.PAYMENT, SCOPE, world.environment, reference)
        return cls(reference, payment, wishes)


def _wish(method: str, **given: Any) -> Wish:
    return Wish(method=method, given=FrozenMapping(given))


def _create(token: str, **more: Any) -> Wish:
    return _wish("payments.create", payment_method=token, confirm=True, **more)


def _refunds(*parts: str) -> list[Wish]:
    return [_wish("refunds.create", reference=part, amount=_PART) for part in parts]


def _sale(_has: _Has) -> list[Wish]:
    return [_create(Tokens.VISA), *_refunds("return_1", "return_2")]


def _two_steps(_has: _Has) -> list[Wish]:
    begun = _wish("payments.create", payment_method=Tokens.VISA)
    return [begun, _wish("payments.confirm"), *_refunds("return_1")]


def _parcels(has: _Has) -> list[Wish]:
    held = _create(Tokens.VISA, capture_method="manual")
    parcel = [_wish("payments.capture", reference="parcel_1", amount=_PART)]
    if has(Capability.MULTIPLE_CAPTURES):
        parcel += [_wish("payments.capture", reference="parcel_2", amount=_PART)]
    else:
        parcel = []
    rest = _wish("payments.capture", amount=Money(4_000, "USD"))
    return [held, *parcel, rest, *_refunds("return_1")]


def _released(_has: _Has) -> list[Wish]:
    return [_create(Tokens.VISA, capture_method="manual"), _wish("payments.cancel")]


def _second_attempt(_has: _Has) -> list[Wish]:
    return [
        _create(Tokens.INSUFFICIENT_FUNDS),
        _create(Tokens.EXPIRED, attempt=2),
        _create(Tokens.VISA, attempt=3),
        *_refunds("return_1"),
    ]


def _second_card(_has: _Has) -> list[Wish]:
    return [
        _wish("payments.create", payment_method=Tokens.EXPIRED),
        _wish("payments.confirm", attempt=1),
        _wish("payments.confirm", payment_method=Tokens.VISA, attempt=2),
        *_refunds("return_1"),
    ]


def _absent(_has: _Has) -> list[Wish]:
    return [_create(Tokens.VISA, off_session=True), *_refunds("return_1")]


def _processing(_has: _Has) -> list[Wish]:
    return [_create(Tokens.PROCESSING), *_refunds("return_1")]


def _challenged(_has: _Has) -> list[Wish]:
    page = "https://shop.example/return"
    return [
        _create(Tokens.AUTHENTICATE, return_url=page),
        _create(Tokens.VISA, attempt=2, return_url=page),
        *_refunds("return_1"),
    ]


_Has: TypeAlias = Callable[[Capability], bool]
#: Makes the wishes of a story for a provider that has what it is asked for.
Story: TypeAlias = Callable[[_Has], list[Wish]]

#: Every story, by name. Together they ask for every operation.
STORIES: Final[dict[str, Story]] = {
    "sale": _sale,
    "two steps": _two_steps,
    "parcels": _parcels,
    "released": _released,
    "second attempt": _second_attempt,
    "second card": _second_card,
    "absent customer": _absent,
    "slow issuer": _processing,
    "challenged": _challenged,
}


def orders(world: World, random: Random, count: int) -> list[Order]:
    """Orders with stories by chance."""
    told = [random.choice(list(STORIES.values())) for _ in range(count)]
    return [
        Order.of(world, f"order_{number}", story(world.spec.has))
        for number, story in enumerate(told, start=1)
    ]
