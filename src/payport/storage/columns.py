"""The types of columns that SQLAlchemy has not: a moment, and text of any kind. No I/O."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

from payport.domain.errors import InvalidRequest

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.types import TypeEngine

__all__ = ["Moment", "Word", "microseconds"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """
    An aware datetime to the microsecond, in UTC.

    SQLite has no type for it. Whole microseconds since 1970 were chosen over ISO text: they order
    as numbers in every year, compare and parse several times faster, take half the room in each
    index, and cannot be written by hand in a second spelling that would sort elsewhere. PostgreSQL
    keeps its own `timestamptz`, which holds exactly the same.
    """

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = sa.BigInteger
    cache_ok: bool | None = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The database's own type where it has one that fits."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.TIMESTAMP(timezone=True))
        return dialect.type_descriptor(sa.BigInteger())

    def bind_processor(self, dialect: Dialect) -> Any:
        """What makes a value of the database's; a naive datetime is refused: it is no moment."""
        return _aware if dialect.name == "postgresql" else microseconds

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """The database's value of a datetime; see `bind_processor`."""
        return self.bind_processor(dialect)(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """What makes an aware datetime in UTC of a value of the database's."""
        del coltype
        return _in_utc if dialect.name == "postgresql" else _moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """The datetime of a value of the database's; see `result_processor`."""
        moment: datetime | None = self.result_processor(dialect, None)(value)
        return moment


def _aware(value: datetime | None) -> datetime | None:
    if value is not None and value.tzinfo is None:
        raise InvalidRequest("a store needs aware datetimes; a naive one has no moment")
    return value


def microseconds(value: datetime | None) -> int | None:
    """What SQLite keeps of a moment."""
    if value is None:
        return None
    if value.tzinfo is None:
        _aware(value)  # refuses it; asked for no other, because every row has several moments
    return (value - _EPOCH) // _MICROSECOND


def _in_utc(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)


def _moment(value: int | None) -> datetime | None:
    return None if value is None else _EPOCH + timedelta(microseconds=value)


class Word(TypeDecorator[str]):
    """
    An id, a name or a message: any text. Compared byte by byte everywhere: listings page by it.

    PostgreSQL's text holds everything but the character NUL, which providers' messages may hold:
    there it is kept as two others.
    """

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = sa.Text
    cache_ok: bool | None = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text, with the collation that compares bytes."""
        # As it is, because the dialect would make a VARCHAR of it.
        return sa.Text(collation="C" if dialect.name == "postgresql" else None)

    def bind_processor(self, dialect: Dialect) -> Any:
        """What makes a value of the database's; none where they are the same."""
        return _without_nul if dialect.name == "postgresql" else None

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """What makes a value of the database's ours."""
        del coltype
        return _with_nul if dialect.name == "postgresql" else None


_ESCAPE: Final = "\x1a"  # SUBSTITUTE, whose purpose this is


def _without_nul(text: str | None) -> str | None:
    if text is None or not ("\x00" in text or _ESCAPE in text):
        return text
    return text.replace(_ESCAPE, f"{_ESCAPE}1").replace("\x00", f"{_ESCAPE}0")


def _with_nul(text: str | None) -> str | None:
    if text is None or _ESCAPE not in text:
        return text
    return text.replace(f"{_ESCAPE}0", "\x00").replace(f"{_ESCAPE}1", _ESCAPE)
