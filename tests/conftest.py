"""Hypothesis profiles for the whole suite. Imports nothing of payport: coverage starts first."""

import os

from hypothesis import settings

# No deadline: a slow machine is not a failing promise. In CI the examples are the same each time,
# so that a red run is the change's fault.
settings.register_profile("default", deadline=None, print_blob=True, derandomize="CI" in os.environ)
# `make properties`: many more and always new examples.
settings.register_profile(
    "long",
    deadline=None,
    print_blob=True,
    derandomize=False,
    max_examples=2_000,
    stateful_step_count=100,
)
settings.load_profile("default")
