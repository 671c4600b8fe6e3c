"""The fake processor: the bank's own wire, and the adapter that speaks it."""
