"""
The router: several providers in the place of one, and the rules that choose among them.

It decides, and does nothing else: it sends nothing and keeps no state. That a decision is made once
for each operation, kept, and left only where nothing was sent, is the journal's doing; see
`payport.operations.routed`.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, NoReturn, TypeVar

from payport.domain.errors import ConfigurationError, InvalidRequest
from payport.domain.money import Money
from payport.providers.base import AsyncPaymentProvider, PaymentProvider
from payport.providers.routing.rules import Asked, Candidate, Rule
from payport.providers.spec import IdempotencyProfile, Limits, ProviderSpec, Resolution

if TYPE_CHECKING:
    from payport.domain.identifiers import Environment

__all__ = ["AsyncRouter", "Router"]

#: What a router is called where a provider would be.
NAME = "router"

P = TypeVar("P")


class _Routing(Generic[P]):
    """What both colours are alike in."""

    _awaited: bool

    def __init__(
        self, providers: Iterable[P], rules: Iterable[Rule], *, finish_only: Collection[str] = ()
    ) -> None:
        members = _named(providers, type(self).__name__, awaited=self._awaited)
        self.providers: Mapping[str, P] = MappingProxyType(members)
        self.rules: tuple[Rule, ...] = tuple(rules)
        specs = {name: spec_of(provider) for name, provider in members.items()}
        _check_rules(self.rules, specs)
        _check_finish_only(finish_only, self.rules, specs)
        self.spec: ProviderSpec = _union(list(specs.values()))
        self._specs = specs
        compiled = [_compiled(rule, number) for number, rule in enumerate(self.rules, 1)]
        # By whether it is a first attempt, of which most are: so that no rule is asked in vain.
        self._first = tuple(one for one in compiled if one.rule.from_attempt == 1)
        self._later = tuple(one for one in compiled if one.rule.from_attempt > 1)
        self._takes_new = {name for rule in self.rules for name in rule.targets}

    @property
    def environment(self) -> Environment:
        """Test or live: of all providers."""
        first: Any = next(iter(self.providers.values()))
        environment: Environment = first.environment
        return environment

    @property
    def finish_only(self) -> tuple[str, ...]:
        """The providers that no rule names: they finish what they began, and get nothing new."""
        return tuple(name for name in self.providers if name not in self._takes_new)

    def decide(self, asked: Asked) -> Sequence[Candidate]:
        """
        Who takes a payment, the first one first; each provider once. Pure, and never empty for a
        first attempt.

        Of a further attempt only the rules that are for further attempts speak.

        Raises:
            InvalidRequest: Its payment method is one provider's and its customer another's, or
                theirs is a provider that takes no new payments.
            ConfigurationError: A rule's own condition failed.
        """
        number = asked.attempt
        found: dict[str, Candidate] = {}
        for one in self._first if number == 1 else self._later:
            for condition in one.conditions:
                if not condition(asked):
                    break
            else:
                if number > 1 and one.rule.from_attempt > number:
                    continue
                for candidate in one.fixed or one.rule.candidates(asked, one.number):
                    if candidate[0] not in found:
                        found[candidate[0]] = candidate
        owners = self._owners(asked) if asked.tokens else None
        if owners is None:
            return list(found.values())
        return self._owned(owners, found, asked)

    def others(self, asked: Asked) -> Sequence[Candidate]:
        """Who takes a further attempt where its own provider cannot be reached."""
        first = Asked(
            reference=asked.reference,
            amount=asked.amount,
            country=asked.country,
            method=asked.method,
            metadata=asked.metadata,
            tokens=asked.tokens,
        )
        return self.decide(first)

    def _owners(self, asked: Asked) -> frozenset[str] | None:
        """The providers that may know all of the tokens; None where nothing tells."""
        left: frozenset[str] | None = None
        for token in asked.tokens:
            known = self.owners_of(token)
            if known:
                left = known if left is None else left & known
        if left is not None and not left:
            raise InvalidRequest(
                "the payment method is saved at one provider and the customer at another: pass both"
                " of the same provider. Nothing was sent.",
                operation="payments.create",
                field="payment_method",
                reference=asked.reference,
            )
        return left

    def owners_of(self, token: str) -> frozenset[str]:
        """The providers whose tokens begin as this one does; none where nothing tells."""
        return frozenset(
            name for name, spec in self._specs.items() if token.startswith(spec.token_prefixes)
        )

    def _owned(
        self, owners: frozenset[str], found: Mapping[str, Candidate], asked: Asked
    ) -> Sequence[Candidate]:
        """Those who know the tokens: the rules' first, else the others that take new payments."""
        kept = [candidate for name, candidate in found.items() if name in owners]
        if kept or (asked.attempt > 1 and not found):
            return kept
        reason = "the payment method or customer is saved there"
        mine = [Candidate(name, reason) for name in sorted(owners & self._takes_new)]
        if not mine:
            named = " or ".join(sorted(owners))
            raise InvalidRequest(
                f"the payment method or customer is saved at {named}, which takes no new payments: "
                "ask the customer for another one. Nothing was sent.",
                operation="payments.create",
                field="payment_method",
                reference=asked.reference,
            )
        return mine

    def __repr__(self) -> str:
        if not hasattr(self, "providers"):
            return f"<{type(self).__name__}>"
        named = ", ".join(self.providers)
        return f"<{type(self).__name__} of {named}: {len(self.rules)} rules>"

    def __reduce__(self) -> NoReturn:
        raise ConfigurationError(
            "a router holds providers with credentials and cannot be pickled. Construct one in "
            "each process.",
            operation=type(self).__name__,
        )


class _Compiled(NamedTuple):
    """
    A rule as a decision uses it.

    Attributes:
        fixed: Who takes a payment; empty where its reference says.
    """

    conditions: tuple[Callable[[Asked], bool], ...]
    fixed: tuple[Candidate, ...]
    rule: Rule
    number: int


def _compiled(rule: Rule, number: int) -> _Compiled:
    fixed = () if rule.has_shares else tuple(rule.candidates(_ANYTHING, number))
    return _Compiled(rule.conditions, fixed, rule, number)


#: What a rule without shares does not look at.
_ANYTHING: Final = Asked(reference="", amount=Money(0, "USD"))


class Router(_Routing[PaymentProvider]):
    """
    Several providers, blocking, for a `Payport`.

    Args:
        providers: The processors, each with a name of its own (`provider.spec.name`).
        rules: In order: the first one that a payment matches decides, and those after it say who
            takes the payment where nothing can be sent to that provider. The last one has no
            condition.
        finish_only: Names of providers that get no new payments, to have it checked that no rule
            sends them any. A provider that no rule names gets none anyhow.

    Raises:
        ConfigurationError: Something of this cannot work: no provider, two of one name, of
            different modes or of the wrong colour, a router among them, no last resort, a rule that
            names a provider that is not there or sends it what it does not take.
    """

    _awaited = False

    def close(self) -> None:
        """Close every provider. Calling it again does nothing."""
        with contextlib.ExitStack() as stack:
            for provider in self.providers.values():
                stack.callback(provider.close)


class AsyncRouter(_Routing[AsyncPaymentProvider]):
    """Several providers, awaited, for an `AsyncPayport`. See `Router`."""

    _awaited = True

    async def aclose(self) -> None:
        """Close every provider. Calling it again does nothing."""
        async with contextlib.AsyncExitStack() as stack:
            for provider in self.providers.values():
                stack.push_async_callback(provider.aclose)


# -- checks ---------------------------------------------------------------------------------------


def _refused(what: str, why: str) -> ConfigurationError:
    return ConfigurationError(why, operation="Router", field=what)


def spec_of(provider: Any) -> ProviderSpec:
    """What a provider declares."""
    spec: ProviderSpec = provider.spec
    return spec


def _named(providers: Iterable[P], router: str, *, awaited: bool) -> dict[str, P]:
    """The providers by name, once each of them may be here."""
    members: dict[str, P] = {}
    for provider in providers:
        _check_provider(provider, router, awaited=awaited)
        name = spec_of(provider).name
        if name in members:
            raise _refused(
                "providers",
                f"two providers are named {name}: the name is how operations and webhooks find "
                "their provider again",
            )
        members[name] = provider
    if not members:
        raise _refused("providers", "there is none: pass a list of them")
    modes: set[str] = {str(getattr(provider, "environment", "")) for provider in members.values()}
    if len(modes) > 1:
        raise _refused(
            "providers",
            f"test and live are mixed ({', '.join(sorted(modes))}): take all keys from one mode",
        )
    return members


def _check_provider(provider: object, router: str, *, awaited: bool) -> None:
    if isinstance(provider, _Routing):
        raise _refused("providers", "a router stands in another one: pass its providers themselves")
    create = getattr(provider, "create_payment", None)
    if create is None or not isinstance(getattr(provider, "spec", None), ProviderSpec):
        raise _refused("providers", f"{type(provider).__name__} is not a payment provider")
    if inspect.iscoroutinefunction(create) is not awaited:
        other = "Router" if awaited else "AsyncRouter"
        has = "blocks" if awaited else "is awaited"
        raise _refused(
            "providers",
            f"{type(provider).__name__} {has} and {router} does not: use {other}, or the "
            "provider's other class",
        )


def _check_rules(rules: Sequence[Any], specs: Mapping[str, ProviderSpec]) -> None:
    for number, rule in enumerate(rules, 1):
        if not isinstance(rule, Rule):
            raise _refused("rules", f"rule {number} is a {type(rule).__name__}, and no Rule")
        for name in rule.targets:
            if name not in specs:
                known = ", ".join(specs)
                message = f"rule {number} names {name}, which is not among the providers: {known}"
                raise _refused("rules", message)
            _check_taken(rule, number, specs[name])
    if not rules or not rules[-1].is_for_every_payment:
        raise _refused(
            "rules",
            "the last rule has a condition, so some payments have no provider: end with a last "
            "resort, such as Rule('first')",
        )


def _check_taken(rule: Rule, number: int, spec: ProviderSpec) -> None:
    bounds = {bound.currency for bound in (rule.at_least, rule.at_most) if bound is not None}
    asked = {*rule.currencies, *bounds}
    if spec.currencies is not None and (strange := sorted(asked - spec.currencies)):
        message = f"rule {number} sends {strange[0]} to {spec.name}, which does not take it"
        raise _refused("rules", message)


def _check_finish_only(
    names: Collection[str], rules: Sequence[Rule], specs: Mapping[str, ProviderSpec]
) -> None:
    if isinstance(names, str):
        raise _refused("finish_only", "must be a set of names, such as {'first'}")
    for name in names:
        if name not in specs:
            message = f"{name} is not among the providers: {', '.join(specs)}"
            raise _refused("finish_only", message)
        for number, rule in enumerate(rules, 1):
            if name in rule.targets:
                message = f"{name} only finishes what it began, and rule {number} sends it more"
                raise _refused("finish_only", message)


def _union(specs: Sequence[ProviderSpec]) -> ProviderSpec:
    """What some of the providers can do. What the chosen one lacks it refuses itself."""
    limits = [spec.limits for spec in specs]
    lives = [spec.idempotency.life for spec in specs]
    known = [life for life in lives if life is not None]
    currencies = [spec.currencies for spec in specs if spec.currencies is not None]
    return ProviderSpec(
        name=NAME,
        capabilities=frozenset[Any]().union(*(spec.capabilities for spec in specs)),
        idempotency=IdempotencyProfile(
            placement="each provider's own",
            max_length=min(spec.idempotency.max_length for spec in specs),
            life=min(known) if len(known) == len(lives) else None,
            scope="each provider's own",
        ),
        resolution=(Resolution.REVIEW,),
        limits=Limits(
            **{part.name: max(getattr(one, part.name) for one in limits) for part in fields(Limits)}
        ),
        currencies=frozenset[str]().union(*currencies) if len(currencies) == len(specs) else None,
        fake=all(spec.fake for spec in specs),
    )
