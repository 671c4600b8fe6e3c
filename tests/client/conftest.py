from routed import routed
from shops import database, files, shop

__all__ = ["database", "files", "routed", "shop"]
