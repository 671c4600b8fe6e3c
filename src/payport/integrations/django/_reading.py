"""What a unit of work may do within a transaction of the caller's: read, and hold nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

from payport.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from payport.storage.base import Transaction

__all__ = ["READS", "Reading"]

#: What neither writes nor locks anything, unless it is asked to lock.
READS: Final = frozenset(
    {
        "deliveries",
        "delivery",
        "event",
        "events",
        "handler_runs",
        "inbox_counts",
        "inbox_due",
        "is_at_work",
        "list_operations",
        "operation",
        "operation_by_key",
        "operations",
        "payment",
        "payment_by_ref",
        "payment_of_refund",
        "payments",
        "refunds",
        "resolutions",
        "restorations",
        "runs_of",
        "several_events",
    }
)


class Reading:
    """
    A `Transaction` of which only the reads are there. Locks are not: they are the beginning of a
    change, and would be held until the caller's own end.

    Args:
        tx: The whole of it.
        using: The alias of the database, for the advice.
    """

    def __init__(self, tx: Transaction, using: str) -> None:
        self._tx = tx
        self._using = using

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in READS:
            self._refuse()

        def read(*args: Any, lock: bool = False, **named: Any) -> Any:
            if lock:
                self._refuse()
            return getattr(self._tx, name)(*args, **named)

        return read

    def _refuse(self) -> NoReturn:
        raise ConfigurationError(
            "payport's journal never joins a transaction of the application's: a rollback of that "
            f"would forget what was sent. A transaction is open on {self._using!r}: call payport "
            "before or after the atomic block, or by transaction.on_commit; in a view under "
            "ATOMIC_REQUESTS decorate it with @transaction.non_atomic_requests; in a test use "
            "TransactionTestCase, or PAYPORT = {'STORE': 'memory'}.",
            operation="store.transact",
            field="store",
        )
