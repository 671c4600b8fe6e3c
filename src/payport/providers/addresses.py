"""
Checks of what every provider over HTTP is constructed with: its address, and how long to wait.

A mistake is a `ConfigurationError` that names the field and says what to do; nothing is connected.
"""

from __future__ import annotations

import ipaddress
from typing import Final, NoReturn
from urllib.parse import SplitResult, urlsplit

from payport.domain.errors import ConfigurationError
from payport.domain.identifiers import Environment

__all__ = ["checked_address", "checked_seconds"]

_LONGEST: Final = 600.0


def checked_address(given: object, environment: Environment, *, example: str) -> str:
    """
    Scheme, host and port: https, or http on this machine for a simulator.

    Raises:
        ConfigurationError: It is no such address, or would send a key in the clear.
    """
    wanted = f"must be like {example}, or http://127.0.0.1:8420 for a simulator"
    if not isinstance(given, str) or not given.isprintable() or " " in given:
        _refuse("base_url", wanted)
    parts = _split(given)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        _refuse("base_url", wanted)
    if "@" in parts.netloc or parts.path not in {"", "/"} or parts.query or parts.fragment:
        _refuse("base_url", f"holds more than scheme, host and port: {wanted}")
    if parts.scheme == "http":
        if not _is_loopback(parts.hostname):
            _refuse("base_url", "must be https: over http a key would be sent in the clear")
        if environment is Environment.LIVE:
            _refuse("base_url", "is a simulator's, and the key is a live one. Use a test key.")
    return f"{parts.scheme}://{parts.netloc}"


def checked_seconds(given: object) -> float:
    """
    How long a request may take at most.

    Raises:
        ConfigurationError: It is no such number.
    """
    seconds = given if isinstance(given, int | float) and not isinstance(given, bool) else 0
    if not 0 < seconds <= _LONGEST:
        _refuse("timeout", f"must be more than 0 and at most {_LONGEST:g} seconds")
    return float(seconds)


def _split(given: str) -> SplitResult | None:
    try:
        parts = urlsplit(given)
        parts.port  # noqa: B018 - reading it is what checks it
    except ValueError:
        return None
    return parts


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse(field: str, why: str) -> NoReturn:
    raise ConfigurationError(why, field=field)
