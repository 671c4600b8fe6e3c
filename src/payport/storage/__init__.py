"""Where payport keeps payments, its journal and received webhooks: memory and SQL databases."""

from payport.storage.autogenerate import include_name

__all__ = ["include_name"]
