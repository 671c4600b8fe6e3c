"""The tables of payport's revision 0002: whose deliveries and handlers' runs are."""

from collections.abc import Sequence
from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

from payport.integrations.django.tables import made_at


class Migration(migrations.Migration):
    """Adds two columns. They stay on the way back: the one before drops the tables."""

    dependencies: ClassVar[Sequence[tuple[str, str]]] = [("payport", "0001_initial")]
    operations: ClassVar[Sequence[Operation]] = [
        migrations.RunPython(made_at("0002"), migrations.RunPython.noop),
    ]
