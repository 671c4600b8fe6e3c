from django.db import models


class Order(models.Model):
    reference = models.CharField(max_length=100)
    note = models.CharField(max_length=100, unique=True, null=True)  # noqa: DJ001 - unique

    def __str__(self):
        return self.reference
