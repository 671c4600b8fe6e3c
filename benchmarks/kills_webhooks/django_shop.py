"""
A Django project in one module, on SQLite: its own view takes the webhooks, its ORM writes the row
for each effect, and all of it is in the project's one database.
"""

from __future__ import annotations

import logging
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import django
import httpx
from django.conf import settings
from shops import API_KEY, OPTIONS, POLL, Books, make_events, serve
from slots import Phase, QuickClock, Slot, Slow

from payport import Handlers, PaymentSucceeded
from payport.providers.stripe import StripeProvider
from payport.testing import StripeSimulator
from payport.testing.stripe_simulator import SIGNING_SECRET

__all__ = ["DjangoShop"]

#: Seconds to wait for another process's transaction, as payport's own file does.
_WAIT = 5.0


class DjangoShop:
    """
    Django's store, view and ORM.

    Args:
        path: Of the project's SQLite file.
        clock: Of the day.
    """

    name = "Django"

    def __init__(self, path: Path, clock: QuickClock) -> None:
        self._simulator = StripeSimulator()
        provider = StripeProvider(
            api_key=API_KEY,
            webhook_secrets=[SIGNING_SECRET],
            http_client=httpx.Client(transport=self._simulator.transport()),
        )
        self._handlers = Handlers()
        settings.configure(
            DATABASES={"default": _database(path)},
            INSTALLED_APPS=["payport.integrations.django", "django_effects"],
            PAYPORT={
                "PROVIDER": provider,
                "SCOPE": "shop",
                "HANDLERS": self._handlers,
                "OPTIONS": {"clock": clock, **OPTIONS},
            },
            ROOT_URLCONF="django_urls",
            ALLOWED_HOSTS=["127.0.0.1"],
            DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
            SECRET_KEY="obviously-fake",  # noqa: S106 - as it says
            LOGGING_CONFIG=None,
            USE_TZ=True,
        )
        django.setup()
        logging.getLogger("django.request").setLevel(logging.CRITICAL)  # answers are counted

    def prepare(self, count: int) -> list[Any]:
        """See `Shop`."""
        from django.core.management import call_command  # noqa: PLC0415 - after django.setup()
        from django.db import connection, connections  # noqa: PLC0415
        from django_effects.models import Effect  # noqa: PLC0415

        from payport.integrations.django.clients import clients  # noqa: PLC0415

        call_command("migrate", verbosity=0)
        with connection.schema_editor() as editor:
            editor.create_model(Effect)
        events = make_events(clients.get(), self._simulator, count)
        clients.close()
        connections.close_all()
        return events

    def receive(self, where: socket.socket, slot: Slot) -> None:
        """See `Shop`."""
        from django.core.asgi import get_asgi_application  # noqa: PLC0415

        from payport.integrations.django.asgi import limit_webhooks  # noqa: PLC0415

        self._store(slot)
        slot.enter(Phase.IDLE)
        serve(limit_webhooks(get_asgi_application(), "/webhooks/payport"), where)

    def work(self, slot: Slot) -> None:
        """See `Shop`."""
        from django_effects.models import Effect  # noqa: PLC0415

        from payport.integrations.django.clients import clients  # noqa: PLC0415

        @self._handlers.on(PaymentSucceeded, name="paid")
        def paid(event: PaymentSucceeded, tx: Any) -> None:
            del tx  # Django's connection is in its transaction
            slot.enter(Phase.HANDLING)
            Effect.objects.create(reference=event.reference)
            slot.pause()

        self._store(slot)
        slot.enter(Phase.IDLE)
        clients.get().webhooks.run_worker(poll=POLL)

    def is_done(self) -> bool:
        """See `Shop`."""
        query = "SELECT 1 FROM {} WHERE state = 'due' LIMIT 1"
        tables = ("payport_inbox", "payport_handler_runs")
        return not any(self._selected(query.format(table)) for table in tables)

    def books(self) -> Books:
        """See `Shop`."""
        stored = self._selected("SELECT dedupe_key FROM payport_inbox")
        acted = self._selected("SELECT reference FROM django_effects_effect")
        return Books({row[0] for row in stored}, Counter(row[0] for row in acted))

    @staticmethod
    def _selected(query: str) -> list[Any]:
        from django.db import connections  # noqa: PLC0415

        with connections["default"].cursor() as cursor:
            cursor.execute(query)
            rows: list[Any] = cursor.fetchall()
        connections.close_all()
        return rows

    @staticmethod
    def _store(slot: Slot) -> None:
        """Have the process's client use Django's store, slowly."""
        from payport.integrations.django.store import DjangoStore  # noqa: PLC0415

        settings.PAYPORT["STORE"] = Slow(DjangoStore(), slot)


def _database(path: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "OPTIONS": {
            "timeout": _WAIT,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL",
        },
    }
