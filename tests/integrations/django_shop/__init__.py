"""A Django application with one table of its own, for tests."""
