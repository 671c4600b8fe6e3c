"""Where payport keeps payments, its journal and received webhooks: memory and SQL databases."""

from payport.storage.autogenerate import include_name
from payport.storage.upkeep import acknowledge_restored, mark_restored, restorations, upgrade

__all__ = [
    "acknowledge_restored",
    "include_name",
    "mark_restored",
    "restorations",
    "upgrade",
]
