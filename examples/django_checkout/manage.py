"""
A checkout on Django, with 3-D Secure, webhooks and refunds; async_checkout.py and
flask_checkout.py are its twins.

    cd examples/django_checkout
    python manage.py migrate
    python manage.py runserver --noreload
    PAYPORT_PROVIDER=simulator python manage.py runserver --noreload    # Stripe's wire, in memory

What is in memory lives in one process, which is why it must not reload, and why webhooks are
processed by the process that receives them. With a provider that is really there, leave
PROCESS_WEBHOOKS out and run `python manage.py payport_worker` beside the server.
"""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    execute_from_command_line(sys.argv)
