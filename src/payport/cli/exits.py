"""What the command's exit code says to a script. The table in docs/cli.md is made from this one."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from payport.domain.errors import (
    CircuitOpen,
    ConfigurationError,
    InvalidRequest,
    OperationInProgress,
    OutcomeUnknown,
    PayportError,
    ProviderUnavailable,
    RateLimited,
    StoreConflict,
    StoreUnavailable,
)

__all__ = ["MEANINGS", "ExitCode", "code_of"]


class ExitCode(IntEnum):
    """See `MEANINGS`."""

    OK = 0
    FAILED = 1
    USAGE = 2
    ATTENTION = 3
    STORE_UNAVAILABLE = 4
    PROVIDER_UNAVAILABLE = 5
    INTERRUPTED = 130


#: For people.
MEANINGS: Final = {
    ExitCode.OK: "Done; nothing needs a person. Also a loop that a signal ended.",
    ExitCode.FAILED: "It could not be done: nothing has that id, or the provider refused.",
    ExitCode.USAGE: "The command line or the configuration is wrong; nothing was done.",
    ExitCode.ATTENTION: "Something needs a person: an operation to review, a dead letter, a check.",
    ExitCode.STORE_UNAVAILABLE: "The store cannot be read or written. Worth trying again.",
    ExitCode.PROVIDER_UNAVAILABLE: "The provider did not tell. Worth trying again.",
    ExitCode.INTERRUPTED: "A signal ended a single run before it was through.",
}

#: The first that matches; everything else is FAILED.
_CODES: Final = (
    ((ConfigurationError, InvalidRequest), ExitCode.USAGE),
    ((StoreUnavailable, StoreConflict), ExitCode.STORE_UNAVAILABLE),
    (
        (ProviderUnavailable, RateLimited, OperationInProgress, OutcomeUnknown, CircuitOpen),
        ExitCode.PROVIDER_UNAVAILABLE,
    ),
)


def code_of(error: PayportError) -> ExitCode:
    """The exit code of a command that ended with this error."""
    return next((code for kinds, code in _CODES if isinstance(error, kinds)), ExitCode.FAILED)
