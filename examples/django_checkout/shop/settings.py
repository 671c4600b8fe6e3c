"""The project's settings: what Django needs at least, and `PAYPORT`."""

import os
from pathlib import Path

from shop import providers

SECRET_KEY = "obviously-fake"  # noqa: S105 - an example's
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "shop.urls"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["payport.integrations.django", "shop"]
MIDDLEWARE = [
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("SHOP_DB", str(Path(__file__).parent.parent / "shop.db")),
        # Payport's units of work begin as writers by themselves; so should the shop's own.
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;",
        },
        # The views that pay say that they are not inside a transaction.
        "ATOMIC_REQUESTS": True,
    }
}

PAYPORT = {
    # In production: "payport.providers.stripe.StripeProvider.from_env", and no OPTIONS.
    "PROVIDER": providers.provider,
    "OPTIONS": {"clock": providers.outside.clock},
    "SCOPE": "shop",
    "HANDLERS": "shop.payments.handlers",
    "PROCESS_WEBHOOKS": True,
}
