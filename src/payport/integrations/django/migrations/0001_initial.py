"""The tables of payport's revision 0001."""

from collections.abc import Sequence
from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

from payport.integrations.django.tables import drop_tables, made_at


class Migration(migrations.Migration):
    """Makes the tables; the way back drops them, unless they hold live payments."""

    initial = True
    dependencies: ClassVar[Sequence[tuple[str, str]]] = []
    operations: ClassVar[Sequence[Operation]] = [
        migrations.RunPython(made_at("0001"), drop_tables),
    ]
