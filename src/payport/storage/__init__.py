"""Where payport keeps payments, its journal and received webhooks: memory and SQL databases."""

from payport.storage.autogenerate import include_name
from payport.storage.upkeep import upgrade

__all__ = ["include_name", "upgrade"]
