"""A row for each effect: nothing in the table keeps a second one out."""

from __future__ import annotations

from django.db import models

__all__ = ["Effect"]


class Effect(models.Model):
    """One effect."""

    reference = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.reference
