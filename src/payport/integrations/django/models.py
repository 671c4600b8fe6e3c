# ruff: noqa: DJ001 - the table is payport's, and says NULL where nothing is known
"""
The journal as Django's admin sees it: read, and never written. The tables are payport's own, made
by the migrations here; writing to them is payport's alone.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from django.conf import settings
from django.db import models
from django.utils import timezone

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    _Field = models.Field[Any, Any]
    _Text: TypeAlias = models.TextField[Any, Any]
    _Number: TypeAlias = models.BigIntegerField[Any, Any]
else:
    _Field = models.Field  # generic in its stubs alone

__all__ = ["MomentField", "Operation"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class MomentField(_Field):
    """A moment as `payport.storage.schema.Moment` keeps it: on SQLite, microseconds since 1970."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        """See `Field.db_type`."""
        return "bigint" if connection.vendor == "sqlite" else "timestamp with time zone"

    def from_db_value(self, value: Any, *_: object) -> datetime | None:
        """A datetime of the kind that the project uses: aware with USE_TZ, else naive."""
        if not isinstance(value, int):
            found: datetime | None = value
            return found
        moment = _EPOCH + timedelta(microseconds=value)
        return moment if settings.USE_TZ else timezone.make_naive(moment)

    def get_db_prep_value(
        self,
        value: Any,
        connection: BaseDatabaseWrapper,
        prepared: bool = False,  # noqa: FBT001, FBT002 - as Django calls it
    ) -> Any:
        """See `Field.get_db_prep_value`."""
        del prepared
        if not isinstance(value, datetime):
            return value
        moment = timezone.make_aware(value) if timezone.is_naive(value) else value
        return (moment - _EPOCH) // _MICROSECOND if connection.vendor == "sqlite" else moment


class Operation(models.Model):
    """A row of the journal, without its key and what was sent, which are nobody's to read."""

    id: _Text = models.TextField(primary_key=True)
    scope: _Text = models.TextField()
    environment: _Text = models.TextField()
    operation: _Text = models.TextField()
    payment_id: _Text = models.TextField()
    reference: _Text = models.TextField()
    attempt: _Number = models.BigIntegerField()
    provider: _Text = models.TextField()
    account: _Text = models.TextField()
    state: _Text = models.TextField()
    sends: _Number = models.BigIntegerField()
    prepared_at: MomentField = MomentField()
    first_sent_at: MomentField = MomentField(null=True)
    latest_at: MomentField = MomentField()
    next_look_at: MomentField = MomentField(null=True)
    concluded_at: MomentField = MomentField(null=True)
    failure: _Text = models.TextField(null=True)
    failure_code: _Text = models.TextField(null=True)
    failure_message: _Text = models.TextField(null=True)
    request_id: _Text = models.TextField(null=True)

    class Meta:
        """It is payport's table, and Django neither makes nor empties it."""

        managed = False
        db_table = "payport_operations"
        default_permissions: ClassVar[tuple[str, ...]] = ("view",)

    def __str__(self) -> str:
        return f"{self.operation}[{self.reference}]"
