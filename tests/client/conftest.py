from shops import database, files, shop

__all__ = ["database", "files", "shop"]
