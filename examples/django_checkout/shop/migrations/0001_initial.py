"""Shipments and returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation

ID: tuple[str, models.Field[Any, Any]] = (
    "id",
    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
)


class Migration(migrations.Migration):
    """Makes both tables."""

    initial: ClassVar[bool | None] = True
    operations: ClassVar[Sequence[Operation]] = [
        migrations.CreateModel(
            name="Shipment",
            fields=[ID, ("reference", models.CharField(max_length=64))],
        ),
        migrations.CreateModel(
            name="Return",
            fields=[ID, ("reference", models.CharField(blank=True, max_length=64))],
        ),
    ]
