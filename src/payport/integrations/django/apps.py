"""The application `payport` of a Django project."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.signals import setting_changed

from payport.integrations.django.clients import clients
from payport.integrations.django.settings import handlers_from, read_settings
from payport.integrations.django.system_checks import check_settings

__all__ = ["PayportConfig"]


class PayportConfig(AppConfig):
    """Registers the system checks and imports the module of the project's handlers."""

    name: str = "payport.integrations.django"
    label: str = "payport"
    verbose_name: Any = "Payments"
    default_auto_field: Any = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """
        See `AppConfig.ready`.

        Raises:
            ImproperlyConfigured: The handlers cannot be imported. Whatever else is wrong with the
                settings is for the checks to say.
        """
        checks.register(check_settings, checks.Tags.compatibility)
        setting_changed.connect(  # pyright: ignore[reportUnknownMemberType] - of the stubs
            clients.settings_changed, dispatch_uid="payport"
        )
        said = getattr(settings, "PAYPORT", None)
        if isinstance(said, dict) and "HANDLERS" in said:
            handlers_from(read_settings())
