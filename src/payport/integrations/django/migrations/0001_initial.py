"""The tables of payport's revision 0001, and the model that reads one of them."""

from collections.abc import Sequence
from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation

from payport.integrations.django.models import MomentField
from payport.integrations.django.tables import drop_tables, made_at


class Migration(migrations.Migration):
    """Makes the tables; the way back drops them, unless they hold live payments."""

    initial: ClassVar[bool | None] = True
    dependencies: ClassVar[Sequence[tuple[str, str]]] = []
    operations: ClassVar[Sequence[Operation]] = [
        migrations.RunPython(made_at("0001"), drop_tables),
        migrations.CreateModel(
            name="Operation",
            fields=[
                ("id", models.TextField(primary_key=True, serialize=False)),
                ("scope", models.TextField()),
                ("environment", models.TextField()),
                ("operation", models.TextField()),
                ("payment_id", models.TextField()),
                ("reference", models.TextField()),
                ("attempt", models.BigIntegerField()),
                ("provider", models.TextField()),
                ("account", models.TextField()),
                ("state", models.TextField()),
                ("sends", models.BigIntegerField()),
                ("prepared_at", MomentField()),
                ("first_sent_at", MomentField(null=True)),
                ("latest_at", MomentField()),
                ("next_look_at", MomentField(null=True)),
                ("concluded_at", MomentField(null=True)),
                ("failure", models.TextField(null=True)),
                ("failure_code", models.TextField(null=True)),
                ("failure_message", models.TextField(null=True)),
                ("request_id", models.TextField(null=True)),
            ],
            options={
                "db_table": "payport_operations",
                "managed": False,
                "default_permissions": ("view",),
            },
        ),
    ]
