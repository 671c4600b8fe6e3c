import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
# What the adapter's and the simulator's tests share; test folders are not packages.
sys.path[:0] = [str(TESTS / "providers" / "stripe"), str(TESTS / "testing" / "stripe_simulator")]

pytest.register_assert_rewrite("reading", "sdk_calls", "stripe_help")
