"""The tables of docs/providers/stripe.md, made from the adapter and by running it."""

from stripe_tables import declared, failures, operations, payouts, reading, webhooks

__all__ = ["TABLES"]

#: What fills each place of the page, by its name.
TABLES = {
    **operations.TABLES,
    **reading.TABLES,
    **failures.TABLES,
    **webhooks.TABLES,
    **payouts.TABLES,
    **declared.TABLES,
}
