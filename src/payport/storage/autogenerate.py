"""Keeps an application's alembic off payport's tables. Imports neither alembic nor SQLAlchemy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["PREFIX", "include_name"]

#: What the names of all tables of payport begin with, the version table's too.
PREFIX: Final = "payport_"


def include_name(name: str | None, type_: str, parent_names: Mapping[str, str | None]) -> bool:
    """
    Say whether an application's autogenerate may look at a name: not where it is a payport table.

    Pass it to alembic in the application's `env.py`, where autogenerate would otherwise drop the
    tables that the application's metadata lacks:

        context.configure(..., include_name=payport.storage.include_name)

    An `include_name` of the application's own returns `False` wherever this one does.
    """
    del parent_names
    return not (type_ == "table" and name is not None and name.startswith(PREFIX))
