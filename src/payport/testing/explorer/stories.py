"""
What customers want: stories of orders, each a sequence of wishes that belong together.

A wish is asked for under one identity however often it is asked. Stories are made of what the
provider can do, so that every operation of the client's is asked for at every provider that has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

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

__all__ = ["STORIES", "Offers", "Order", "Story", "Wish", "orders"]

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
            given: dict[str, Any] = {
                **self.given,
                "reference": f"{order}.{self.given['reference']}",
            }
            return process.refunds.create(payment=payment, **given)
        call: Callable[..., Work] = getattr(process.payments, self.method.removeprefix("payments."))
        return call(payment, **self.given)

    def __str__(self) -> str:
        told = [
            self.method,
            *(str(self.given[n]) for n in ("reference", "attempt") if n in self.given),
        ]
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


class Offers(Protocol):
    """What stories have to know of a provider."""

    def has(self, capability: Capability) -> bool:
        """Whether it can do it."""
        ...

    def token(self, token: str) -> str | None:
        """Its token for one of the bank's; None where it has nothing like it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """
    What a customer comes to want, one thing after the other.

    Attributes:
        tell: The wishes, given a function that makes a provider's token of the bank's.
        needs: What the provider must be able to do.
        cards: The tokens that are paid with.
    """

    tell: Callable[[Callable[[str], str]], list[Wish]]
    needs: frozenset[Capability]
    cards: tuple[str, ...] = (Tokens.VISA,)

    def is_possible(self, offers: Offers) -> bool:
        """Whether a provider has all that it needs."""
        cards = all(offers.token(card) is not None for card in self.cards)
        return cards and all(offers.has(capability) for capability in self.needs)

    def wishes(self, offers: Offers) -> list[Wish]:
        """The wishes, in a provider's words."""
        return self.tell(lambda card: offers.token(card) or card)


def _wish(method: str, **given: Any) -> Wish:
    return Wish(method=method, given=FrozenMapping(given))


def _create(card: str, **more: Any) -> Wish:
    return _wish("payments.create", payment_method=card, confirm=True, **more)


def _refunds(*parts: str) -> list[Wish]:
    return [_wish("refunds.create", reference=part, amount=_PART) for part in parts]


_Card: TypeAlias = Callable[[str], str]
_RETURN: Final = "https://shop.example/return"


def _sale(card: _Card) -> list[Wish]:
    return [_create(card(Tokens.VISA)), *_refunds("return_1", "return_2")]


def _two_steps(card: _Card) -> list[Wish]:
    begun = _wish("payments.create", payment_method=card(Tokens.VISA))
    return [begun, _wish("payments.confirm"), *_refunds("return_1")]


def _parcels(card: _Card) -> list[Wish]:
    held = _create(card(Tokens.VISA), capture_method="manual")
    parcels = [_wish("payments.capture", reference=f"parcel_{n}", amount=_PART) for n in (1, 2)]
    rest = _wish("payments.capture", amount=Money(4_000, "USD"))
    return [held, *parcels, rest, *_refunds("return_1")]


def _one_parcel(card: _Card) -> list[Wish]:
    held = _create(card(Tokens.VISA), capture_method="manual")
    return [held, _wish("payments.capture"), *_refunds("return_1")]


def _released(card: _Card) -> list[Wish]:
    return [_create(card(Tokens.VISA), capture_method="manual"), _wish("payments.cancel")]


def _second_attempt(card: _Card) -> list[Wish]:
    return [
        _create(card(Tokens.INSUFFICIENT_FUNDS)),
        _create(card(Tokens.EXPIRED), attempt=2),
        _create(card(Tokens.VISA), attempt=3),
        *_refunds("return_1"),
    ]


def _second_card(card: _Card) -> list[Wish]:
    return [
        _wish("payments.create", payment_method=card(Tokens.EXPIRED)),
        _wish("payments.confirm", attempt=1),
        _wish("payments.confirm", payment_method=card(Tokens.VISA), attempt=2),
        *_refunds("return_1"),
    ]


def _absent(card: _Card) -> list[Wish]:
    return [_create(card(Tokens.VISA), off_session=True), *_refunds("return_1")]


def _processing(card: _Card) -> list[Wish]:
    return [_create(card(Tokens.PROCESSING)), *_refunds("return_1")]


def _challenged(card: _Card) -> list[Wish]:
    return [
        _create(card(Tokens.AUTHENTICATE), return_url=_RETURN),
        _create(card(Tokens.VISA), attempt=2, return_url=_RETURN),
        *_refunds("return_1"),
    ]


_REFUNDS: Final = frozenset({Capability.REFUND, Capability.PARTIAL_REFUND})
_HOLDS: Final = frozenset({Capability.MANUAL_CAPTURE})

#: Every story, by name. Together they ask for every operation.
STORIES: Final[dict[str, Story]] = {
    "sale": Story(tell=_sale, needs=_REFUNDS),
    "two steps": Story(tell=_two_steps, needs=_REFUNDS),
    "parcels": Story(tell=_parcels, needs=_REFUNDS | _HOLDS | {Capability.MULTIPLE_CAPTURES}),
    "one parcel": Story(tell=_one_parcel, needs=_REFUNDS | _HOLDS),
    "released": Story(tell=_released, needs=_HOLDS | {Capability.CANCEL}),
    "second attempt": Story(
        tell=_second_attempt,
        needs=_REFUNDS,
        cards=(Tokens.INSUFFICIENT_FUNDS, Tokens.EXPIRED, Tokens.VISA),
    ),
    "second card": Story(tell=_second_card, needs=_REFUNDS, cards=(Tokens.EXPIRED, Tokens.VISA)),
    "absent customer": Story(tell=_absent, needs=_REFUNDS | {Capability.OFF_SESSION}),
    "slow issuer": Story(tell=_processing, needs=_REFUNDS, cards=(Tokens.PROCESSING,)),
    "challenged": Story(tell=_challenged, needs=_REFUNDS, cards=(Tokens.AUTHENTICATE, Tokens.VISA)),
}


def orders(world: World, random: Random, count: int) -> list[Order]:
    """Orders with stories by chance, of those that the provider can take part in."""
    possible = [story for story in STORIES.values() if story.is_possible(world)]
    told = [random.choice(possible) for _ in range(count)]
    return [
        Order.of(world, f"order_{number}", story.wishes(world))
        for number, story in enumerate(told, start=1)
    ]
