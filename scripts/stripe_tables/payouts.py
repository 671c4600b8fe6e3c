"""Where payouts stand, and which events they make: by moving some at the simulator."""

from collections.abc import Callable

from payport import Environment
from payport.domain.events import PayoutEvent
from payport.domain.payout_events import events_of_payout, payout_id
from payport.providers.stripe.payouts import PAYOUTS
from payport.testing._heard import heard
from stripe_tables.markdown import code, listed, table
from stripe_tables.shop import Shop

__all__ = ["TABLES"]


def states_table() -> str:
    """Stripe's words for where a payout stands."""
    rows = [(code(word), code(f"payout.status = {state}")) for word, state in PAYOUTS.items()]
    return table(
        ("Stripe's `status`", "fact"), [*rows, ("anything else", code("payout.status = unknown"))]
    )


def events_table() -> str:
    """Which events of Stripe's make which events, told in order."""
    shop = Shop()
    bank = shop.simulator.bank
    for moves in (("sent", "paid", "itemized", "bounced"), ("voided",)):
        shop.made()
        bank.pay_out(arrives=False)
        ref = bank.payouts[-1].ref
        for move in moves:
            shop.simulator.clock.advance(1)
            if move == "itemized":
                bank.itemize_payout(ref)
            else:
                bank.move_payout(ref, move)
    made: dict[str, set[str]] = {}
    told: list[PayoutEvent] = []
    adapter, now = shop.provider.adapter, shop.simulator.clock.now()
    for one in [d for w in shop.simulator.webhooks() for d in heard(adapter, w, now)]:
        if one.payout is not None:
            known_as = payout_id("stripe", Environment.TEST, "acct_1", one.payout.ref)
            common = {
                "payout_id": known_as,
                "scope": "shop",
                "environment": Environment.TEST,
                "provider": "stripe",
                "account": "acct_1",
                "api_version": one.api_version,
            }
            known = [event for event in told if event.payout_id == known_as]
            new = list(events_of_payout(one.payout, known, common))
            told += new
            made.setdefault(one.type, set()).update(type(event).__name__ for event in new)
    rows = [(code(kind), listed(sorted(events))) for kind, events in sorted(made.items())]
    return table(("event", "domain events"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "payout-states": states_table,
    "payout-events": events_table,
}
