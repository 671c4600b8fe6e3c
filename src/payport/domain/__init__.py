"""Payments as facts: values, aggregates, events and errors. No I/O and no provider's language."""
