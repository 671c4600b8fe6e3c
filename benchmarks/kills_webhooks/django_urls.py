"""The project's one address."""

from django.urls import include, path

urlpatterns = [path("webhooks/payport", include("payport.integrations.django.urls"))]
