"""
Payport in Django: `INSTALLED_APPS = [..., "payport.integrations.django"]`, the settings `PAYPORT`,
and `get_payport()` wherever the client is needed. Importing it touches neither settings nor models.
"""

from payport.integrations.django.clients import get_payport
from payport.integrations.django.store import DjangoStore

__all__ = ["DjangoStore", "get_payport"]
