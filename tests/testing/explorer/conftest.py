"""Adapters that other tests made are explored here too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
