from clis import cli, shop

__all__ = ["cli", "shop"]
