"""`payport webhooks`: look into the inbox, process it, and try again what failed for good."""

from __future__ import annotations

from payport.cli import line as lines

__all__ = ["group"]

group = lines.group("webhooks", "What the provider sent: the inbox, its worker and dead letters.")
