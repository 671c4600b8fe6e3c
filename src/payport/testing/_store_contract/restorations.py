# ruff: noqa: S101 - contract tests live on assert
"""What a store promises after it was restored from a backup."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from payport.domain.errors import ConfigurationError
from payport.domain.identifiers import Environment
from payport.storage.base import RestorationKind
from payport.testing._store_contract import samples

if TYPE_CHECKING:
    from payport.storage.base import RestorationRecord, Store, Transaction

__all__ = ["Restorations"]

_RESTORED = samples.restoration()
_ACKNOWLEDGED = samples.restoration(
    RestorationKind.ACKNOWLEDGED,
    at=samples.after(hours=1),
    author="zoe",
    reason="Compared with the provider's report.",
)


def _tell(store: Store, *words: RestorationRecord) -> None:
    def work(tx: Transaction) -> None:
        for word in words:
            tx.add_restoration(word)

    store.transact(work)


def _send(store: Store, environment: Environment = Environment.LIVE) -> None:
    """As the journal does it: asked when it is written down, and counted when it is sent."""
    store.transact(lambda tx: tx.check_sendable(environment))
    store.transact(lambda tx: tx.check_sendable(environment, count=True))


class Restorations:
    """Live sends wait for a person where sends may have been forgotten."""

    def test_a_store_sends_as_long_as_nobody_says_otherwise(self, store: Store) -> None:
        for environment in Environment:
            _send(store, environment)
            _send(store, environment)

    def test_a_restored_store_sends_nothing_live_until_a_person_says_so(self, store: Store) -> None:
        _send(store)
        _tell(store, _RESTORED)
        with pytest.raises(ConfigurationError, match="acknowledge_restored") as refused:
            _send(store)
        assert _RESTORED.author in str(refused.value)
        assert _RESTORED.reason in str(refused.value)
        _tell(store, _ACKNOWLEDGED)
        _send(store)
        _tell(store, _RESTORED)
        with pytest.raises(ConfigurationError):
            _send(store)

    def test_counting_a_send_is_refused_as_well(self, store: Store) -> None:
        _tell(store, _RESTORED)
        with pytest.raises(ConfigurationError):
            store.transact(lambda tx: tx.check_sendable(Environment.LIVE, count=True))

    def test_a_restored_store_goes_on_in_tests(self, store: Store) -> None:
        _tell(store, _RESTORED)
        _send(store, Environment.TEST)

    def test_a_restored_store_is_read_and_written(self, store: Store) -> None:
        _tell(store, _RESTORED)
        store.transact(lambda tx: tx.save_payment(samples.payment()))
        assert store.transact(lambda tx: tx.payment("pay_order_1")) is not None

    def test_a_refused_send_leaves_nothing(self, store: Store) -> None:
        _tell(store, _RESTORED)

        def work(tx: Transaction) -> None:
            tx.insert_operation(samples.operation())
            tx.check_sendable(Environment.LIVE)

        with pytest.raises(ConfigurationError):
            store.transact(work)
        assert store.transact(lambda tx: tx.operation(samples.operation().id)) is None

    def test_words_on_restorations_are_kept_in_order(self, store: Store) -> None:
        words = [_RESTORED, _ACKNOWLEDGED, _ACKNOWLEDGED]
        assert list(store.transact(lambda tx: tx.restorations())) == []
        _tell(store, *words)
        kept = list(store.transact(lambda tx: tx.restorations()))
        assert kept == words
        assert [word.kind for word in kept[:2]] == list(RestorationKind)
