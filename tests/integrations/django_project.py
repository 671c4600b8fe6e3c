"""
A Django project in one file, for tests that kill it: `python django_project.py COMMAND` is its
manage.py, with SHOP_DB as its database. SHOP_HANDLER says what its handler does after it wrote:
"die", "die after the commit", "take its time", or nothing.
"""

import os
import signal
import sys
import time

import django
from django.conf import settings

settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["SHOP_DB"],
            "ATOMIC_REQUESTS": True,
        }
    },
    INSTALLED_APPS=["payport.integrations.django", "django_shop"],
    PAYPORT={
        "PROVIDER": "payport.testing.FakeProvider",
        "SCOPE": "shop",
        "HANDLERS": "django_project.handlers",
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    SECRET_KEY="obviously-fake",
    USE_TZ=True,
)

from payport import Handlers, Money, PaymentSucceeded  # noqa: E402

handlers = Handlers()


@handlers.on(PaymentSucceeded)
def paid(event, tx):
    from django.db import transaction  # noqa: PLC0415 - after django.setup()
    from django_shop.models import Order  # noqa: PLC0415

    Order.objects.create(reference=event.reference)
    print("written", flush=True)  # noqa: T201 - the test reads it
    match os.environ.get("SHOP_HANDLER"):
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "die after the commit":
            transaction.on_commit(lambda: os.kill(os.getpid(), signal.SIGKILL))
        case "take its time":
            time.sleep(0.5)


def prepare():
    """Make the tables, and a payment whose handler has not run."""
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415
    from django_shop.models import Order  # noqa: PLC0415

    from payport.integrations.django import get_payport  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(Order)
    get_payport().payments.create(
        reference="order_1",
        amount=Money(4999, "USD"),
        payment_method="pm_card_visa",
        confirm=True,
    )


if __name__ == "__main__":
    sys.modules["django_project"] = sys.modules["__main__"]  # one set of handlers
    django.setup()
    if sys.argv[1] == "prepare":
        prepare()
    else:
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)
