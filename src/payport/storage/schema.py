"""
The tables, as SQLAlchemy Core sees them; `migrations/` makes them.

A row holds its value as one JSON document, and beside it the columns that are searched, ordered or
kept unique. Documents are text and not a database's own JSON type, which would reorder and respell
them. No row ever holds a client token or a provider's payload: see `rows`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from payport.storage.columns import Moment, Word

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "events",
    "handler_runs",
    "inbox",
    "metadata",
    "operations",
    "payments",
    "provider_refs",
    "refunds",
    "resolutions",
    "restorations",
    "store",
]

#: Ids, names and messages.
_Word: Final = Word()
_Document: Final = sa.Text()
_Count: Final = sa.BigInteger()
#: SQLite numbers rows by itself only where the column is called INTEGER.
_Serial: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

metadata: Final = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _word(name: str, **options: Any) -> sa.Column[str]:
    return sa.Column(name, _Word, nullable=False, **options)


def _word_or_none(name: str) -> sa.Column[str | None]:
    return sa.Column(name, _Word, nullable=True)


def _moment(name: str) -> sa.Column[datetime]:
    return sa.Column(name, Moment(), nullable=False)


def _moment_or_none(name: str) -> sa.Column[datetime | None]:
    return sa.Column(name, Moment(), nullable=True)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, _Count, nullable=False)


def _not_negative(name: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"{name} >= 0", name=f"{name}_not_negative")


_DUE: Final = "state = 'due'"
_SOUGHT: Final = "next_look_at IS NOT NULL"
_CLAIMED: Final = "claimed_until IS NOT NULL"
#: What waits for a person, or may one day be ours.
_LEFT: Final = "state IN ('foreign', 'quarantined', 'dead')"
_RUN_ORDER: Final = ("due_at", "event_id", "handler")
_BODIES: Final = "state = 'done' AND body IS NOT NULL"
#: Several clients may share a store; each looks for its own.
_PLACE: Final = ("provider", "environment")


def _only(name: str, rule: str, *columns: str) -> sa.Index:
    """An index of what is still to do, which stays small while the table grows."""
    where = sa.text(rule)
    return sa.Index(name, *columns, sqlite_where=where, postgresql_where=where)


payments: Final = sa.Table(
    "payport_payments",
    metadata,
    _word("id", primary_key=True),
    _word("scope"),
    _word("environment"),
    _word("provider"),
    _word("account"),
    _word("reference"),
    _word("status"),
    _count("amount"),
    _word("currency"),
    _count("version"),
    _moment("created_at"),
    sa.Column("document", _Document, nullable=False),
    _not_negative("amount"),
    sa.CheckConstraint("version > 0", name="version_positive"),
    sa.Index(None, "scope", "environment", "created_at", "id"),
    sa.Index(None, "scope", "environment", "status", "created_at", "id"),
)

#: Which payment a provider's object belongs to. Never two.
provider_refs: Final = sa.Table(
    "payport_provider_refs",
    metadata,
    _word("provider", primary_key=True),
    _word("account", primary_key=True),
    _word("ref", primary_key=True),
    sa.Column("payment_id", _Word, sa.ForeignKey(payments.c.id), nullable=False),
    sa.Index(None, "payment_id"),
)

#: Where a refund is found. The refund itself is in its payment's document, and only there.
refunds: Final = sa.Table(
    "payport_refunds",
    metadata,
    _word("id", primary_key=True),
    sa.Column("payment_id", _Word, sa.ForeignKey(payments.c.id), nullable=False),
    _word("scope"),
    _word("environment"),
    _word("status"),
    _moment("created_at"),
    sa.Index(None, "payment_id"),
    sa.Index(None, "scope", "environment", "created_at", "id"),
    sa.Index(None, "scope", "environment", "status", "created_at", "id"),
)

#: The journal. Unique without the provider: another route finds the same row.
operations: Final = sa.Table(
    "payport_operations",
    metadata,
    _word("id", primary_key=True),
    _word("scope"),
    _word("environment"),
    _word("operation"),
    _word("aggregate_id"),
    _word("payment_id"),
    _word("reference"),
    _count("attempt"),
    _word("fingerprint"),
    sa.Column("command", sa.LargeBinary, nullable=True),
    sa.Column("request", sa.LargeBinary, nullable=True),
    _word("key"),
    _word("provider"),
    _word("account"),
    _word("endpoint"),
    _word("route"),
    _word("baseline"),
    _word("state"),
    _word_or_none("lease_owner"),
    _moment_or_none("lease_until"),
    _count("fencing"),
    _count("sends"),
    sa.Column("doubtful", sa.Boolean, nullable=False),
    _moment("prepared_at"),
    _moment_or_none("first_sent_at"),
    _moment("latest_at"),
    _moment("send_before"),
    _moment_or_none("next_look_at"),
    _moment_or_none("concluded_at"),
    _word_or_none("failure"),
    _word_or_none("failure_code"),
    _word_or_none("failure_message"),
    _word_or_none("request_id"),
    sa.UniqueConstraint(
        "scope",
        "environment",
        "operation",
        "aggregate_id",
        "reference",
        "attempt",
        name="uq_payport_operations_identity",
    ),
    sa.UniqueConstraint("key"),
    sa.CheckConstraint("attempt > 0", name="attempt_positive"),
    _not_negative("fencing"),
    _not_negative("sends"),
    sa.Index(None, "payment_id"),
    sa.Index(None, "scope", "environment", "prepared_at", "id"),
    sa.Index(None, "scope", "environment", "state", "prepared_at", "id"),
    _only("ix_payport_operations_due", _SOUGHT, "environment", "provider", "next_look_at", "id"),
)

#: What persons said about operations, in the order in which they said it. Nothing is ever deleted.
resolutions: Final = sa.Table(
    "payport_resolutions",
    metadata,
    sa.Column("seq", _Serial, primary_key=True, autoincrement=True),
    sa.Column("operation_id", _Word, sa.ForeignKey(operations.c.id), nullable=False),
    _moment("at"),
    _word("author"),
    _word("reason"),
    _word("from_state"),
    _word("to_state"),
    sa.Index(None, "operation_id", "seq"),
)

#: What tells this database from a copy of it: one row.
store: Final = sa.Table(
    "payport_store",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    _word("generation"),
    _word_or_none("home"),
    _count("sends"),
    sa.CheckConstraint("id = 1", name="one_row"),
    _not_negative("sends"),
)

#: That the database was restored from a backup, and who said that it may go on. Kept for ever.
restorations: Final = sa.Table(
    "payport_restorations",
    metadata,
    sa.Column("seq", _Serial, primary_key=True, autoincrement=True),
    _moment("at"),
    _word("kind"),
    _word("author"),
    _word("reason"),
)

#: What was told, for good. `payment_id` is that of what it happened to: of a payout, the payout's.
events: Final = sa.Table(
    "payport_events",
    metadata,
    sa.Column("seq", _Serial, primary_key=True, autoincrement=True),
    _word("id", unique=True),
    _word("kind"),
    _word("payment_id"),
    _moment("occurred_at"),
    _moment("learned_at"),
    sa.Column("document", _Document, nullable=False),
    sa.Index(None, "payment_id", "seq"),
)

inbox: Final = sa.Table(
    "payport_inbox",
    metadata,
    _word("id", primary_key=True),
    _word("provider"),
    _word("environment"),
    _word_or_none("account"),
    _word("dedupe_key"),
    _word("ordering_key"),
    _word("type"),
    _word("fingerprint"),
    _word_or_none("attempt_ref"),
    _word_or_none("tag"),
    _word_or_none("api_version"),
    sa.Column("body", sa.LargeBinary, nullable=True),
    _count("position"),
    _word("digest"),
    _moment("occurred_at"),
    _moment("received_at"),
    _word("state"),
    _count("tries"),
    _moment("due_at"),
    _moment_or_none("claimed_until"),
    _count("fencing"),
    _word_or_none("error"),
    _word_or_none("trace"),
    sa.Column("conflict", sa.Boolean, nullable=False),
    _word_or_none("received_for"),
    sa.UniqueConstraint("provider", "environment", "dedupe_key", name="uq_payport_inbox_dedupe"),
    _not_negative("position"),
    _not_negative("tries"),
    _not_negative("fencing"),
    _only("ix_payport_inbox_due", _DUE, *_PLACE, "due_at", "received_at", "id"),
    _only("ix_payport_inbox_line", _DUE, *_PLACE, "ordering_key", "received_at", "id"),
    _only("ix_payport_inbox_claimed", _CLAIMED, *_PLACE, "ordering_key"),
    _only("ix_payport_inbox_foreign", "state = 'foreign'", *_PLACE, "attempt_ref"),
    _only("ix_payport_inbox_bodies", _BODIES, *_PLACE, "received_at"),
    sa.Index("ix_payport_inbox_received", *_PLACE, "received_at", "id"),
    _only("ix_payport_inbox_left", _LEFT, *_PLACE, "state", "received_at", "id"),
)

#: What is to be done once for an event or a message; see `HandlerRun`.
handler_runs: Final = sa.Table(
    "payport_handler_runs",
    metadata,
    _word("event_id", primary_key=True),
    _word("handler", primary_key=True),
    _word("provider"),
    _word("environment"),
    _word("scope"),
    sa.Column("message", _Document, nullable=True),
    _word("state"),
    _count("tries"),
    _moment("due_at"),
    _moment_or_none("claimed_until"),
    _count("fencing"),
    _word_or_none("error"),
    _word_or_none("trace"),
    _word_or_none("account"),
    _not_negative("tries"),
    _not_negative("fencing"),
    _only("ix_payport_handler_runs_due", _DUE, *_PLACE, *_RUN_ORDER),
    sa.Index("ix_payport_handler_runs_latest", *_PLACE, *_RUN_ORDER),
    _only("ix_payport_handler_runs_dead", "state = 'dead'", *_PLACE, *_RUN_ORDER),
)
