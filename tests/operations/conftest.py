import shutil
import sys
from pathlib import Path

import pytest

# The harness lives with the tests of the client; test folders are not packages.
sys.path.insert(0, str(Path(__file__).parent.parent / "client"))

from shops import Shop, database, files, shop

__all__ = ["database", "files", "shop", "shop_like"]


@pytest.fixture
def shop_like(shop, files, request):
    """Makes more shops of the kind of `shop`, each with data of its own."""
    made = []

    def make():
        path = None
        if shop.kind.store == "sqlite":
            path = shutil.copy(files / "migrated.db", shop.path.parent / f"{len(made)}.db")
        made.append(Shop(shop.kind, path))
        return made[-1]

    yield make
    for one in made:
        one.close()
