from django.http import HttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from served_shops import TERMS

from payport.integrations.django import get_payport


@csrf_exempt
def create(request, order):
    return HttpResponse(str(get_payport().payments.create(reference=order, **TERMS).status))


urlpatterns = [
    path("webhooks/payport", include("payport.integrations.django.urls")),
    path("pay/<order>", create),
]
