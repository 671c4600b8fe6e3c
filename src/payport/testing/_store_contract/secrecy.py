# ruff: noqa: S101 - contract tests live on assert
"""What a store promises never to keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from payport.domain.facts import AttemptFact
from payport.testing._store_contract import samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from payport.domain.payment_intent import PaymentIntent
    from payport.storage.base import Store, Transaction

__all__ = ["Secrecy"]


class Secrecy:
    """Client tokens and providers' payloads end at the store."""

    def test_tokens_and_payloads_never_come_back(self, store: Store) -> None:
        store.transact(lambda tx: tx.save_payment(samples.everything()))

        def read(tx: Transaction) -> list[PaymentIntent | None]:
            return [
                tx.payment("pay_order_1"),
                tx.payment("pay_order_1", lock=True),
                tx.payment_by_ref("fake", "acct_1", "order_1_obj_1"),
                *tx.payments(samples.query()),
            ]

        kept = store.transact(read)
        assert len(kept) == 4  # noqa: PLR2004 - as many ways as there are to read one
        for payment in kept:
            assert payment is not None
            assert [found for fact in _facts_of(payment) for found in _held(fact)] == []

    def test_what_the_customer_has_to_do_stays_known_without_its_token(self, store: Store) -> None:
        store.transact(lambda tx: tx.save_payment(samples.everything()))
        kept = store.transact(lambda tx: tx.payment("pay_order_1"))
        assert kept is not None
        asked = [attempt.next_action for attempt in kept.attempts]
        assert asked == [attempt.next_action for attempt in samples.everything().attempts]

    def test_saving_gives_the_tokens_back_to_whoever_just_got_them(self, store: Store) -> None:
        saved = store.transact(lambda tx: tx.save_payment(samples.everything()))
        assert [found for fact in _facts_of(saved) for found in _held(fact)] != []

    def test_tokens_and_payloads_are_not_written(
        self, store: Store, at_rest: Callable[[], bytes]
    ) -> None:
        def work(tx: Transaction) -> None:
            tx.save_payment(samples.everything())
            tx.add_delivery(samples.delivery())

        store.transact(work)
        written = at_rest()
        assert samples.CANARY.encode() not in written
        # The right bytes were looked at, if there are any.
        assert not written or b"pay_order_1" in written


def _facts_of(payment: PaymentIntent) -> Iterable[Any]:
    effects: tuple[Any, ...] = (*payment.captures, *payment.refunds)
    told = [effect.fact for effect in effects if effect.fact is not None]
    return (*payment.attempts, *told, *payment.disputes)


def _held(fact: Any) -> list[object]:
    """What a fact still holds of the provider's."""
    held = [fact.raw.value]
    if isinstance(fact, AttemptFact) and fact.next_action is not None:
        held.append(
            getattr(fact.next_action, "url", None) or getattr(fact.next_action, "token", None)
        )
    return [value for value in held if value is not None]
