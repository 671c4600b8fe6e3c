"""
What every store promises, as tests: subclass `StoreContract`, give it a store, and run pytest.

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self, tmp_path):
            return MyStore(tmp_path / "payments.db")

An async store is tested through `payport.testing.blocking.Blocking`. The contract says what
`payport.storage.base` says, and nothing about how: files, engines and processes are a store's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from payport.testing._store_contract.due import Due, Resolutions
from payport.testing._store_contract.inbox import Handlers, Inbox
from payport.testing._store_contract.journal import Events, Journal
from payport.testing._store_contract.payments import Payments, Refunds
from payport.testing._store_contract.restorations import Restorations
from payport.testing._store_contract.secrecy import Secrecy
from payport.testing._store_contract.transactions import Transactions

if TYPE_CHECKING:
    from collections.abc import Callable

    from payport.storage.base import Store

__all__ = ["StoreContract"]


class StoreContract(
    Transactions,
    Payments,
    Refunds,
    Journal,
    Due,
    Resolutions,
    Restorations,
    Events,
    Inbox,
    Handlers,
    Secrecy,
):
    """
    The promises of a `Store`, one test each. Every test gets a store of its own that is empty.

    Threads of one process use the store at once. A store that writes somewhere overrides `at_rest`.
    """

    @pytest.fixture
    def store(self) -> Store:
        """An empty store; a fixture that yields it closes it as well."""
        raise NotImplementedError("Give the contract a store: override the fixture `store`.")

    @pytest.fixture
    def at_rest(self) -> Callable[[], bytes]:
        """Everything that the store has written outside the process; nothing by default."""
        return bytes
