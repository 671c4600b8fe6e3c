from django.contrib import admin
from django.db import transaction
from django.http import HttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from served_shops import TERMS

from payport.integrations.django import get_payport


@csrf_exempt
def inside(request, order):
    """As Django runs it: under ATOMIC_REQUESTS inside a transaction."""
    return HttpResponse(str(get_payport().payments.create(reference=order, **TERMS).status))


@transaction.non_atomic_requests
@csrf_exempt
def outside(request, order):
    return inside(request, order)


@csrf_exempt
def read(request, order):
    return HttpResponse(str(get_payport().payments.get(reference=order).status))


urlpatterns = [
    path("webhooks/payport", include("payport.integrations.django.urls")),
    path("pay/<order>", outside),
    path("pay_inside/<order>", inside),
    path("read/<order>", read),
    path("admin/", admin.site.urls),
]
