"""The tables of docs/providers/adyen.md, made from the adapter and by running it."""

from adyen_tables import asking, declared, reading

__all__ = ["TABLES"]

#: What fills each place of the page, by its name.
TABLES = {**declared.TABLES, **asking.TABLES, **reading.TABLES}
