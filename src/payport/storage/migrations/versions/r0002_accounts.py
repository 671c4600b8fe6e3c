"""
Whose a delivery, and a handler's run, is: clients of different accounts may share a store.

What is known of the deliveries that are there is kept: the account that their provider names. All
else that is there stays anybody's, as it was. Frozen, as every revision.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the two columns."""
    op.add_column("payport_inbox", sa.Column("received_for", _WORD, nullable=True))
    op.add_column("payport_handler_runs", sa.Column("account", _WORD, nullable=True))
    op.execute("UPDATE payport_inbox SET received_for = account WHERE account IS NOT NULL")
