"""
A store in plain Python, for tests and for trying things out: fast, thread-safe, gone with the
process. It keeps the frozen values themselves and takes a failed transaction back step by step. It
never writes anything anywhere, and refuses to be copied or pickled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, TypeVar

from payport.storage.memory_inbox import MemoryInbox
from payport.storage.memory_journal import MemoryJournal
from payport.storage.memory_unit import MemoryTables
from payport.storage.units import Turn, unpicklable

if TYPE_CHECKING:
    from collections.abc import Callable

    from payport.storage.base import Transaction

__all__ = ["AsyncMemoryStore", "MemoryStore", "MemoryTransaction"]

T = TypeVar("T")


class MemoryStore:
    """
    A `Store` in memory. Give the same one to several clients and they share what it holds.

    A transaction that raises leaves nothing behind, as in a database; locks are not needed, because
    one transaction runs at a time.
    """

    def __init__(self) -> None:
        self._turn = Turn()
        self._data = MemoryTables()

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """See `Store.transact`. Never raises StoreUnavailable."""
        with self._turn:
            transaction = MemoryTransaction(self._data)
            try:
                result = work(transaction)
                transaction.check()
            except BaseException:
                transaction.undo()
                raise
            finally:
                transaction.end()
            return result

    def close(self) -> None:
        """Do nothing: there is nothing to free, and another client may share the data."""

    def __reduce__(self) -> NoReturn:
        unpicklable(self)


class AsyncMemoryStore:
    """An `AsyncStore` in memory: the same data in the other colour. Nothing is ever awaited."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.store: MemoryStore = store if store is not None else MemoryStore()

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """See `AsyncStore.transact`."""
        return self.store.transact(work)

    async def aclose(self) -> None:
        """Do nothing, as `MemoryStore.close`."""

    def __reduce__(self) -> NoReturn:
        unpicklable(self)


class MemoryTransaction(MemoryJournal, MemoryInbox):
    """A `Transaction` on dicts."""

    __slots__ = ()
