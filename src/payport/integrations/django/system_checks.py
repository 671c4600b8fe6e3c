"""What `manage.py check` says about payport's settings."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's own name
from django.core.exceptions import ImproperlyConfigured

from payport.integrations.django.settings import client_from, read_settings

__all__ = ["check_settings"]


def check_settings(**_: Any) -> list[CheckMessage]:
    """
    Check that the settings make a client, without any I/O.

    | id | says |
    | --- | --- |
    | `payport.E001` | `PAYPORT` is missing, malformed, or makes no client |
    | `payport.W001` | the journal is in memory and `DEBUG` is off |
    """
    try:
        read = read_settings()
        client_from(read)  # not closed: nothing is open, and the provider may be another's
    except ImproperlyConfigured as error:
        return [Error(str(error), id="payport.E001")]
    if read.store == "memory" and not settings.DEBUG:
        return [
            Warning(
                "PAYPORT['STORE'] is 'memory': each process has a journal of its own, and forgets "
                "it.",
                hint="Leave it out for the project's database. In tests this is fine.",
                id="payport.W001",
            )
        ]
    return []
