"""
The journal in Django's admin, to find what needs a person: to be looked at, not changed.
`pay.operations.resolve` is where a person's word goes, with a reason and a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from django.http import HttpRequest

from payport.integrations.django.models import Operation
from payport.integrations.django.settings import DJANGO, PayportSettings, read_settings

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Operation]
else:
    _Admin = admin.ModelAdmin  # generic in its stubs alone

__all__ = ["OperationAdmin"]


@admin.register(Operation)
class OperationAdmin(_Admin):
    """Operations by their state, the latest first; there if the journal is in Django's database."""

    list_display: Any = (
        "reference",
        "operation",
        "state",
        "environment",
        "latest_at",
        "failure_message",
    )
    list_filter: ClassVar[Any] = ("state", "environment", "operation")
    search_fields: ClassVar[Any] = ("reference", "payment_id", "id")
    ordering: ClassVar[Any] = ("-latest_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Operation]:
        """From the database that the journal is in."""
        found = super().get_queryset(request)
        read = _journal()
        return found.none() if read is None else found.using(read.using)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """See `ModelAdmin`."""
        return _journal() is not None and super().has_module_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """See `ModelAdmin`."""
        return _journal() is not None and super().has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds to the journal by hand."""
        del request
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes it."""
        del request, obj
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes from it."""
        del request, obj
        return False


def _journal() -> PayportSettings | None:
    """The settings, where the journal is in a database of Django's."""
    try:
        read = read_settings()
    except ImproperlyConfigured:
        return None
    return read if read.store == DJANGO else None
