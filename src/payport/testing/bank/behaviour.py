"""
What kind of processor the bank is, as data: the same engine behaves like very different ones.

The presets take their names from the processors whose ways they imitate. They imitate how those
answer, remember and tell; not their formats, which are their simulators' business.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from payport.domain.errors import ConfigurationError
from payport.providers.spec import (
    ALL_CAPABILITIES,
    Capability,
    IdempotencyProfile,
    ProviderSpec,
    Resolution,
)

__all__ = ["Behaviour", "adyen_like", "keyless", "redirecting", "stripe_like"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """
    How the bank behaves.

    Attributes:
        name: For people.
        provider: What its adapter is called, where operations and webhooks name it.
        currencies: What it takes; None for all.
        token_prefixes: What its saved methods and customers begin with, as its adapter declares it.
        idempotency: What it makes of keys. Without a life it ignores them.
        resolution: How an unknown outcome is learned from it, in order.
        lacks: What it cannot do.
        acknowledges: Whether captures, cancels and refunds are only acknowledged, and decided
            afterwards; only a webhook tells how.
        decides_after: How long it takes to decide those. Zero: right after it answered.
        running_total: Whether all captures of a payment are told as one whose amount grows, rather
            than each by itself.
        whole_seconds: Whether it tells times in whole seconds only.
        batches: How many statements a webhook holds at most. With more than one they have no id.
        declines_with: The HTTP status of a decline: 402, or 200 where it is an answer like others.
        search_lag: How long after it was made an object is found.
        pages: Whether every payment is made on a page of the bank's; `Bank.visit` has customers pay
            there.
        signs_webhooks: Whether webhooks are signed. Where not, each holds the id of what changed,
            and nothing else.
        events_kept: For how long what it told is listed; None for ever.
    """

    name: str
    idempotency: IdempotencyProfile
    resolution: tuple[Resolution, ...]
    lacks: frozenset[Capability] = frozenset()
    acknowledges: bool = False
    decides_after: timedelta = timedelta()
    running_total: bool = False
    whole_seconds: bool = False
    batches: int = 1
    declines_with: int = 200
    search_lag: timedelta = timedelta()
    pages: bool = False
    signs_webhooks: bool = True
    events_kept: timedelta | None = None
    provider: str = "fake"
    currencies: frozenset[str] | None = None
    token_prefixes: tuple[str, ...] = ()
    spec: ProviderSpec = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        needs = {
            Resolution.REPLAY: self.idempotency.has_keys,
            Resolution.RETRIEVE: Capability.RETRIEVE_PAYMENT not in self.lacks,
            Resolution.FIND: Capability.FIND not in self.lacks,
            Resolution.WEBHOOK: Capability.WEBHOOKS not in self.lacks,
        }
        broken = [way for way in self.resolution if not needs.get(way, True)]
        if broken or self.resolution[-1:] != (Resolution.REVIEW,):
            message = "a way of resolution that the bank has not got, or REVIEW is not the last one"
            raise ConfigurationError(message, operation="Behaviour", field="resolution")
        object.__setattr__(self, "spec", self._spec())

    def can(self, capability: Capability) -> bool:
        """Whether the bank can do it."""
        return capability not in self.lacks

    def _spec(self) -> ProviderSpec:
        return ProviderSpec(
            name=self.provider,
            currencies=self.currencies,
            token_prefixes=self.token_prefixes,
            capabilities=ALL_CAPABILITIES - self.lacks,
            idempotency=self.idempotency,
            resolution=self.resolution,
            signs_webhooks=self.signs_webhooks,
            events_kept=self.events_kept,
            fake=True,
        )


def stripe_like() -> Behaviour:
    """
    Objects before the first confirmation, and again after a decline; everything decided at once and
    readable; keys for a day, server errors remembered with them; times in whole seconds.
    """
    return Behaviour(
        name="stripe-like",
        idempotency=IdempotencyProfile(
            placement="header idempotency-key",
            max_length=255,
            life=timedelta(hours=24),
            scope="account",
            replays_errors=True,
        ),
        resolution=(
            Resolution.REPLAY,
            Resolution.RETRIEVE,
            Resolution.FIND,
            Resolution.WEBHOOK,
            Resolution.REVIEW,
        ),
        running_total=True,
        whole_seconds=True,
        declines_with=402,
        events_kept=timedelta(days=30),
    )


def adyen_like() -> Behaviour:
    """
    Nothing before the first confirmation, and nothing to be read ever; captures, cancels and
    refunds are acknowledged and decided by a webhook; those come in batches without ids.
    """
    return Behaviour(
        name="adyen-like",
        idempotency=IdempotencyProfile(
            placement="header idempotency-key",
            max_length=64,
            life=timedelta(days=7),
            scope="account",
        ),
        resolution=(Resolution.REPLAY, Resolution.WEBHOOK, Resolution.REVIEW),
        lacks=frozenset(
            {
                Capability.CREATE_UNCONFIRMED,
                Capability.RECONFIRM,
                Capability.RETRIEVE_PAYMENT,
                Capability.RETRIEVE_REFUND,
                Capability.FIND,
                Capability.LIST_PAYMENTS,
                Capability.LIST_REFUNDS,
                Capability.LIST_EVENTS,
                Capability.RETRIEVE_SUBJECT,
            }
        ),
        acknowledges=True,
        batches=10,
    )


def keyless() -> Behaviour:
    """No idempotency keys: every request is executed. Objects carry our tag and can be found."""
    return Behaviour(
        name="keyless",
        idempotency=IdempotencyProfile(placement="none", max_length=64, life=None, scope="none"),
        resolution=(
            Resolution.RETRIEVE,
            Resolution.FIND,
            Resolution.WEBHOOK,
            Resolution.REVIEW,
        ),
    )


def redirecting() -> Behaviour:
    """
    No idempotency keys, every payment made on a page of the bank's, and webhooks that hold an id
    and are not signed: they prove nothing, and the object has to be read.
    """
    return Behaviour(
        name="redirecting",
        idempotency=IdempotencyProfile(placement="none", max_length=64, life=None, scope="none"),
        resolution=(Resolution.RETRIEVE, Resolution.FIND, Resolution.REVIEW),
        lacks=frozenset(
            {
                Capability.CREATE_UNCONFIRMED,
                Capability.RECONFIRM,
                Capability.MANUAL_CAPTURE,
                Capability.PARTIAL_CAPTURE,
                Capability.MULTIPLE_CAPTURES,
                Capability.CANCEL,
                Capability.OFF_SESSION,
                Capability.PAYOUTS,
                Capability.LIST_EVENTS,
                Capability.RETRIEVE_SUBJECT,
                Capability.SAVE_PAYMENT_METHOD,
            }
        ),
        pages=True,
        signs_webhooks=False,
    )
