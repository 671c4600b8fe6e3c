"""
Everything: payments, their provider ids and refunds, the journal and what persons said about it,
what tells the database from a copy, events, the inbox and handlers.

Frozen. It repeats what `payport.storage.schema` says today and must not follow it.
"""

from __future__ import annotations

import secrets
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_MOMENT = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _words(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, _WORD, nullable=False) for name in names]


def _maybe(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, _WORD, nullable=True) for name in names]


def _moments(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, _MOMENT, nullable=False) for name in names]


def _moments_maybe(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, _MOMENT, nullable=True) for name in names]


def _counts(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in names]


def _check(table: str, name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))


def _of(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}"))


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))


def _index_only(name: str, table: str, rule: str, *columns: str) -> None:
    where = sa.text(rule)
    op.create_index(name, table, list(columns), sqlite_where=where, postgresql_where=where)


def upgrade() -> None:
    """Make all tables."""
    _payments()
    _provider_refs()
    _refunds()
    _operations()
    _resolutions()
    _store()
    _restorations()
    _events()
    _inbox()
    _handler_runs()


def _payments() -> None:
    table = "payport_payments"
    op.create_table(
        table,
        *_words("id", "scope", "environment", "provider", "account", "reference", "status"),
        *_counts("amount"),
        *_words("currency"),
        *_counts("version"),
        *_moments("created_at"),
        sa.Column("document", sa.Text(), nullable=False),
        _check(table, "amount_not_negative", "amount >= 0"),
        _check(table, "version_positive", "version > 0"),
        _key(table, "id"),
    )
    _index(table, "scope", "environment", "created_at", "id")
    _index(table, "scope", "environment", "status", "created_at", "id")


def _provider_refs() -> None:
    table = "payport_provider_refs"
    op.create_table(
        table,
        *_words("provider", "account", "ref", "payment_id"),
        _of(table, "payment_id", "payport_payments"),
        _key(table, "provider", "account", "ref"),
    )
    _index(table, "payment_id")


def _refunds() -> None:
    table = "payport_refunds"
    op.create_table(
        table,
        *_words("id", "payment_id", "scope", "environment", "status"),
        *_moments("created_at"),
        _of(table, "payment_id", "payport_payments"),
        _key(table, "id"),
    )
    _index(table, "payment_id")
    _index(table, "scope", "environment", "created_at", "id")
    _index(table, "scope", "environment", "status", "created_at", "id")


def _operations() -> None:
    table = "payport_operations"
    identity = ("scope", "environment", "operation", "aggregate_id", "reference", "attempt")
    op.create_table(
        table,
        *_words("id", "scope", "environment", "operation", "aggregate_id", "payment_id"),
        *_words("reference"),
        *_counts("attempt"),
        *_words("fingerprint"),
        sa.Column("command", sa.LargeBinary(), nullable=True),
        sa.Column("request", sa.LargeBinary(), nullable=True),
        *_words("key", "provider", "account", "endpoint", "route", "baseline", "state"),
        *_maybe("lease_owner"),
        *_moments_maybe("lease_until"),
        *_counts("fencing", "sends"),
        sa.Column("doubtful", sa.Boolean(), nullable=False),
        *_moments("prepared_at"),
        *_moments_maybe("first_sent_at"),
        *_moments("latest_at", "send_before"),
        *_moments_maybe("next_look_at", "concluded_at"),
        *_maybe("failure", "failure_code", "failure_message", "request_id"),
        _check(table, "attempt_positive", "attempt > 0"),
        _check(table, "fencing_not_negative", "fencing >= 0"),
        _check(table, "sends_not_negative", "sends >= 0"),
        _key(table, "id"),
        sa.UniqueConstraint("key", name=op.f("uq_payport_operations_key")),
        sa.UniqueConstraint(*identity, name="uq_payport_operations_identity"),
    )
    _index(table, "payment_id")
    _index(table, "scope", "environment", "prepared_at", "id")
    _index(table, "scope", "environment", "state", "prepared_at", "id")
    due = ("environment", "provider", "next_look_at", "id")
    _index_only("ix_payport_operations_due", table, "next_look_at IS NOT NULL", *due)


def _resolutions() -> None:
    table = "payport_resolutions"
    op.create_table(
        table,
        sa.Column("seq", _SERIAL, autoincrement=True, nullable=False),
        *_words("operation_id"),
        *_moments("at"),
        *_words("author", "reason", "from_state", "to_state"),
        _of(table, "operation_id", "payport_operations"),
        _key(table, "seq"),
    )
    _index(table, "operation_id", "seq")


def _store() -> None:
    table = "payport_store"
    made = op.create_table(
        table,
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        *_words("generation"),
        *_maybe("home"),
        *_counts("sends"),
        _check(table, "one_row", "id = 1"),
        _check(table, "sends_not_negative", "sends >= 0"),
        _key(table, "id"),
    )
    row = {"id": 1, "generation": secrets.token_hex(16), "home": None, "sends": 0}
    op.bulk_insert(made, [row])


def _restorations() -> None:
    table = "payport_restorations"
    op.create_table(
        table,
        sa.Column("seq", _SERIAL, autoincrement=True, nullable=False),
        *_moments("at"),
        *_words("kind", "author", "reason"),
        _key(table, "seq"),
    )


def _events() -> None:
    table = "payport_events"
    op.create_table(
        table,
        sa.Column("seq", _SERIAL, autoincrement=True, nullable=False),
        *_words("id", "kind", "payment_id"),
        *_moments("occurred_at", "learned_at"),
        sa.Column("document", sa.Text(), nullable=False),
        _key(table, "seq"),
        sa.UniqueConstraint("id", name=op.f("uq_payport_events_id")),
    )
    _index(table, "payment_id", "seq")


def _inbox() -> None:
    table = "payport_inbox"
    place = ("provider", "environment")
    op.create_table(
        table,
        *_words("id", *place),
        *_maybe("account"),
        *_words("dedupe_key", "ordering_key", "type", "fingerprint"),
        *_maybe("attempt_ref", "tag", "api_version"),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        *_counts("position"),
        *_words("digest"),
        *_moments("occurred_at", "received_at"),
        *_words("state"),
        *_counts("tries"),
        *_moments("due_at"),
        *_moments_maybe("claimed_until"),
        *_counts("fencing"),
        *_maybe("error", "trace"),
        sa.Column("conflict", sa.Boolean(), nullable=False),
        *[_check(table, f"{name}_not_negative", f"{name} >= 0") for name in _INBOX_COUNTS],
        _key(table, "id"),
        sa.UniqueConstraint(*place, "dedupe_key", name="uq_payport_inbox_dedupe"),
    )
    line, received = (*place, "ordering_key"), ("received_at", "id")
    due, bodies = "state = 'due'", "state = 'done' AND body IS NOT NULL"
    # First, because of two that would do SQLite takes the one that was made last.
    op.create_index("ix_payport_inbox_received", table, [*place, *received])
    _index_only("ix_payport_inbox_due", table, due, *place, "due_at", *received)
    _index_only("ix_payport_inbox_line", table, due, *line, *received)
    _index_only("ix_payport_inbox_claimed", table, "claimed_until IS NOT NULL", *line)
    _index_only("ix_payport_inbox_foreign", table, "state = 'foreign'", *place, "attempt_ref")
    _index_only("ix_payport_inbox_bodies", table, bodies, *place, "received_at")
    left = "state IN ('foreign', 'quarantined', 'dead')"
    _index_only("ix_payport_inbox_left", table, left, *place, "state", *received)


_INBOX_COUNTS = ("position", "tries", "fencing")


def _handler_runs() -> None:
    table = "payport_handler_runs"
    place, order = ("provider", "environment"), ("due_at", "event_id", "handler")
    op.create_table(
        table,
        *_words("event_id", "handler", *place, "scope"),
        sa.Column("message", sa.Text(), nullable=True),
        *_words("state"),
        *_counts("tries"),
        *_moments("due_at"),
        *_moments_maybe("claimed_until"),
        *_counts("fencing"),
        *_maybe("error", "trace"),
        _check(table, "tries_not_negative", "tries >= 0"),
        _check(table, "fencing_not_negative", "fencing >= 0"),
        _key(table, "event_id", "handler"),
    )
    op.create_index("ix_payport_handler_runs_latest", table, [*place, *order])
    _index_only("ix_payport_handler_runs_due", table, "state = 'due'", *place, *order)
    _index_only("ix_payport_handler_runs_dead", table, "state = 'dead'", *place, *order)
