"""
The shop's addresses.

POST /checkout/{order}?token=pm_card_visa pays. When the answer has an address, the customer goes
there and comes back to GET /return/{order}, which asks the provider how the payment stands. POST
/webhooks takes what the provider sends, whether the customer comes back or not. POST
/refund/{order}?reference=return_1&cents=1000 gives money back.

Try 3-D Secure with the token pm_card_authenticate: POST /customer/{order} is what the customer does
at their bank's page.
"""

from django.urls import include, path

from shop import views

urlpatterns = [
    path("webhooks", include("payport.integrations.django.urls")),
    path("checkout/<order>", views.checkout),
    path("return/<order>", views.come_back),
    path("refund/<order>", views.refund),
    path("orders/<order>", views.order_page),
    path("customer/<order>", views.customer),
]
