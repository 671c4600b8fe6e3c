"""`manage.py payport_recover`: finds out once what became of every operation that is due."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from payport.domain.errors import PayportError
from payport.integrations.django.clients import get_payport

__all__ = ["Command"]


class Command(BaseCommand):
    """Conclude what dead processes and lost answers left."""

    help: str = "Find out what became of every payment operation whose outcome is not known."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """See `BaseCommand`."""
        parser.add_argument("--limit", type=int, help="how many operations at most")
        parser.add_argument(
            "--every-scope", action="store_true", help="of all scopes, and not of SCOPE alone"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """See `BaseCommand`."""
        del args
        try:
            done = get_payport().operations.recover(
                limit=options["limit"], every_scope=options["every_scope"]
            )
        except PayportError as error:
            raise CommandError(str(error)) from error
        for name in ("concluded", "abandoned", "unknown", "needs_review"):
            self.stdout.write(f"{name}: {getattr(done, name)}")
        if done.stopped is not None:
            raise CommandError(f"stopped before the end: {done.stopped}")
