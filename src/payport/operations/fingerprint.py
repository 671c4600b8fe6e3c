"""The fingerprint of what an application asked, to tell a repetition from a different request."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["fingerprint"]

#: Names the way parameters are written down. Rows of an earlier version are compared as that one.
_VERSION = "1"
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=str)


def fingerprint(parameters: Mapping[str, object]) -> str:
    """
    `1:` and the SHA-256 of the parameters as canonical JSON.

    Parameters that are None count as not given, so that a later version of payport may add one
    without making every repetition a conflict.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    return f"{_VERSION}:{hashlib.sha256(_canonical.encode(given).encode()).hexdigest()}"
