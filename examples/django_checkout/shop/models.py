"""What the shop knows of its orders."""

from django.db import models


class Shipment(models.Model):
    """An order that was paid and shipped."""

    reference = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"shipment of {self.reference}"


class Return(models.Model):
    """Goods that were taken back; a refund that was made in a dashboard has no reference."""

    reference = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return f"return {self.reference}"
