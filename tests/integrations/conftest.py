"""Django is set up once for the process: its settings and its applications are global."""

import sys
from pathlib import Path

import django
from django.conf import settings

# Harnesses that live with other tests; test folders are not packages.
sys.path.insert(0, str(Path(__file__).parent.parent / "storage"))

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "shop.example", "testserver"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
        "payport.integrations.django",
        "django_shop",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    PAYPORT={"PROVIDER": "payport.testing.FakeProvider", "STORE": "memory"},
    ROOT_URLCONF="django_urls",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    SECRET_KEY="obviously-fake",
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    USE_TZ=True,
    STATIC_URL="/static/",
    TIME_ZONE="America/New_York",
)
django.setup()

from django_databases import (  # noqa: E402 - after django.setup()
    alias,
    migrated,
    new_database,
    on_postgres,
    on_sqlite,
    store,
)

__all__ = ["alias", "migrated", "new_database", "on_postgres", "on_sqlite", "store"]
