"""
Rules: which provider takes a payment. Data, checked when they are written down.

A rule looks at what was asked and at nothing else: no clock, no chance, no state of a provider. So
the same payment is decided alike in every process. What a provider's state changes (one that is
down is passed over) is decided by the journal, which also keeps what was decided.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from payport.domain.errors import ConfigurationError, InvalidRequest
from payport.domain.frozen import EMPTY, FrozenMapping
from payport.domain.money import Money

if TYPE_CHECKING:
    from payport.domain.errors import PayportError
    from payport.providers.spec import ProviderSpec

__all__ = ["Asked", "Candidate", "Rule", "bucket_of"]

#: Of what shares are parts of: whole percents.
WHOLE: Final = 100
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_METHOD: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,49}")


def _could(spec: ProviderSpec) -> PayportError | None:
    """Any provider could, as far as is known."""
    del spec
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """
    What an application asked for, as far as it decides about the provider.

    Attributes:
        country: The customer's, as ISO 3166 has it: two letters, upper case; None if not told.
        method: The type of payment method, such as `card`; None if not told.
        metadata: What the application keeps with the payment.
        tokens: The provider's names of a payment method and a customer, where given.
        attempt: From 1.
        cannot: Says why a provider could not carry it out; None where it could.
    """

    reference: str
    amount: Money
    country: str | None = None
    method: str | None = None
    metadata: FrozenMapping = EMPTY
    attempt: int = 1
    tokens: tuple[str, ...] = field(default=(), repr=False)
    cannot: Callable[[ProviderSpec], PayportError | None] = field(
        default=_could, repr=False, compare=False
    )


class Candidate(NamedTuple):
    """A provider that may take a payment, and why, in words."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """
    Sends payments to a provider. Without a condition it is for every payment.

    All conditions have to hold. A payment of which something is not told, such as the country, is
    not for a rule that asks for it.

    Attributes:
        to: A provider's name; several, in the order in which they are tried; or shares in percent,
            `{"first": 90, "second": 10}`, by which each payment goes to one of them for good.
        name: What the reason of a decision calls the rule.
        currencies: Such as `{"EUR", "SEK"}`.
        countries: Of the customer, such as `{"NL"}`.
        methods: Types of payment method, such as `{"ideal"}`.
        at_least: The smallest amount, in its currency.
        at_most: The largest one.
        when: Any other condition. It has to answer the same for the same payment, at once.
        from_attempt: The first attempt it is for. A further attempt stays where the one before was,
            unless a rule with 2 or more here says otherwise.

    Raises:
        ConfigurationError: Something of it cannot be meant.
    """

    to: str | Sequence[str] | Mapping[str, int] = field(kw_only=False)
    name: str = ""
    currencies: Collection[str] = ()
    countries: Collection[str] = ()
    methods: Collection[str] = ()
    at_least: Money | None = None
    at_most: Money | None = None
    when: Callable[[Asked], bool] | None = field(default=None, repr=False)
    from_attempt: int = 1
    _shares: tuple[tuple[int, str], ...] = field(init=False, repr=False, compare=False)
    _targets: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _asks: tuple[Callable[[Asked], bool], ...] = field(init=False, repr=False, compare=False)
    _label: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for words in ("currencies", "countries", "methods"):
            object.__setattr__(self, words, _words(getattr(self, words), words))
        _check_currencies(self.currencies)
        _check_spelling(self.countries, _COUNTRY, "countries", "two upper-case letters, as 'NL'")
        _check_spelling(self.methods, _METHOD, "methods", "a lower-case word, as 'card'")
        _check_range(self.at_least, self.at_most)
        if isinstance(self.from_attempt, bool) or self.from_attempt < 1:
            raise _refused("from_attempt", "attempts are counted from 1")
        shares = _shares(self.to) if isinstance(self.to, Mapping) else ()
        object.__setattr__(self, "_shares", shares)
        object.__setattr__(self, "_targets", _targets(self.to))
        object.__setattr__(self, "_asks", tuple(_conditions(self)))
        object.__setattr__(self, "_label", _described(self))

    @property
    def conditions(self) -> tuple[Callable[[Asked], bool], ...]:
        """What has to hold of a payment, as functions."""
        return self._asks

    @property
    def has_shares(self) -> bool:
        """Whether the reference decides between its targets."""
        return bool(self._shares)

    @property
    def targets(self) -> tuple[str, ...]:
        """The providers it names, in order."""
        return self._targets

    @property
    def described(self) -> str:
        """Which payments it is for, in words."""
        shares = ", ".join(f"{share}% {name}" for name, share in self._percent())
        return self._label.strip(" ()") + (f"; {shares}" if shares else "")

    def _percent(self) -> Sequence[tuple[str, int]]:
        return list(self.to.items()) if isinstance(self.to, Mapping) else []

    @property
    def is_for_every_payment(self) -> bool:
        """Whether it has no condition."""
        return not self._asks and self.from_attempt == 1

    def matches(self, asked: Asked) -> bool:
        """
        Whether it is for this payment.

        Raises:
            ConfigurationError: Its `when` failed. Nothing was sent.
        """
        # Not all(...): a generator would cost more than most of the conditions.
        for condition in self._asks:  # noqa: SIM110
            if not condition(asked):
                return False
        return True

    def candidates(self, asked: Asked, number: int) -> Sequence[Candidate]:
        """Who takes the payment by this rule, the first one first; `number` names the rule."""
        if not self._shares:
            reason = f"rule {number}{self._label}"
            return [Candidate(name, reason) for name in self._targets]
        bucket = bucket_of(asked.reference)
        chosen = next(name for below, name in self._shares if bucket < below)
        reason = f"rule {number}{self._label}, share: {bucket} of {WHOLE}"
        others = [name for name in self._targets if name != chosen]
        return [Candidate(name, reason) for name in (chosen, *others)]


def bucket_of(reference: str) -> int:
    """
    The percent, from 0 to 99, in which a payment with this reference lies: the same in every
    process and version.
    """
    digest = hashlib.sha256(f"payport-share:{reference}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % WHOLE


# -- checks ---------------------------------------------------------------------------------------


def _refused(what: str, why: str) -> ConfigurationError:
    return ConfigurationError(why, operation="Rule", field=what)


def _words(given: Any, what: str) -> frozenset[str]:
    if isinstance(given, str) or not all(isinstance(word, str) for word in given):
        raise _refused(what, "must be a set of words, such as {'EUR'}")
    return frozenset(given)


def _check_spelling(words: Collection[str], spelling: re.Pattern[str], what: str, how: str) -> None:
    wrong = sorted(word for word in words if not spelling.fullmatch(word))
    if wrong:
        raise _refused(what, f"{wrong[0]!r} is none: each is {how}")


def _check_currencies(currencies: Collection[str]) -> None:
    for code in currencies:
        try:
            Money(1, code)
        except InvalidRequest as error:
            message = f"{code!r} is no currency of ISO 4217"
            raise _refused("currencies", message) from error


def _check_range(at_least: Any, at_most: Any) -> None:
    for what, bound in (("at_least", at_least), ("at_most", at_most)):
        if bound is not None and not isinstance(bound, Money):
            raise _refused(what, "must be Money: amounts of different currencies do not compare")
    if at_least is None or at_most is None:
        return
    if at_least.currency != at_most.currency or at_least.minor > at_most.minor:
        message = f"no amount lies between {at_least} and {at_most}"
        raise _refused("at_most", message)


def _targets(to: Any) -> tuple[str, ...]:
    names = (to,) if isinstance(to, str) else tuple(to)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise _refused("to", "name a provider, several in order, or shares such as {'first': 90}")
    if len(set(names)) != len(names):
        raise _refused("to", "it names a provider twice")
    return names


def _shares(shares: Mapping[str, Any]) -> tuple[tuple[int, str], ...]:
    """Each provider with the percent that its share ends before."""
    total = 0
    ends: list[tuple[int, str]] = []
    for name, share in shares.items():
        if isinstance(share, bool) or not isinstance(share, int) or share <= 0:
            message = f"the share of {name} is {share!r}: each is a whole percentage above 0"
            raise _refused("to", message)
        total += share
        ends.append((total, name))
    if total != WHOLE:
        raise _refused("to", f"the shares are {total} percent together, and have to be {WHOLE}")
    return tuple(ends)


# -- conditions -----------------------------------------------------------------------------------


def _conditions(rule: Rule) -> list[Callable[[Asked], bool]]:
    """Those that a rule has, as functions: what it does not ask for costs nothing."""
    currencies, countries, methods = rule.currencies, rule.countries, rule.methods
    found: list[Callable[[Asked], bool]] = []
    if currencies:
        found.append(lambda asked: asked.amount.currency in currencies)
    if countries:
        found.append(lambda asked: asked.country in countries)
    if methods:
        found.append(lambda asked: asked.method in methods)
    if rule.at_least is not None:
        least, unit = rule.at_least.minor, rule.at_least.currency
        found.append(lambda asked: asked.amount.currency == unit and asked.amount.minor >= least)
    if rule.at_most is not None:
        most, of = rule.at_most.minor, rule.at_most.currency
        found.append(lambda asked: asked.amount.currency == of and asked.amount.minor <= most)
    if rule.when is not None:
        found.append(_guarded(rule.when))
    return found


def _guarded(when: Callable[[Asked], bool]) -> Callable[[Asked], bool]:
    def asked_of(asked: Asked) -> bool:
        try:
            return bool(when(asked))
        except Exception as error:
            message = f"the condition `when` of a rule failed: {type(error).__name__}"
            raise _refused("when", message) from error

    return asked_of


def _described(rule: Rule) -> str:
    """What a reason says of the rule after its number."""
    if rule.name:
        return f" ({rule.name})"
    said = [
        *(["/".join(sorted(rule.currencies))] if rule.currencies else []),
        *(["/".join(sorted(rule.countries))] if rule.countries else []),
        *(["/".join(sorted(rule.methods))] if rule.methods else []),
        *([f"at least {rule.at_least}"] if rule.at_least is not None else []),
        *([f"at most {rule.at_most}"] if rule.at_most is not None else []),
        *(["its condition"] if rule.when is not None else []),
        *([f"from attempt {rule.from_attempt}"] if rule.from_attempt > 1 else []),
    ]
    return f" ({', '.join(said)})" if said else " (every payment)"
