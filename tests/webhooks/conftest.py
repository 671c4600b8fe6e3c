import sys
from pathlib import Path

# The harness lives with the tests of the client; test folders are not packages.
sys.path.insert(0, str(Path(__file__).parent.parent / "client"))

from shops import database, files, shop

__all__ = ["database", "files", "shop"]
