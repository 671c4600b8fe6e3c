"""
The webhook endpoint, at the path that the project chooses.

    urlpatterns = [path("webhooks/payport", include("payport.integrations.django.urls"))]

With several providers behind a router, each has a path and is named in it:

    urlpatterns = [path("webhooks/one", webhook, {"provider": "one"})]
"""

from typing import Final

from django.urls import URLPattern, path

from payport.integrations.django.views import webhook

__all__ = ["app_name", "urlpatterns"]

app_name: Final = "payport"
urlpatterns: Final[list[URLPattern]] = [path("", webhook, name="webhook")]
