"""Payport's part of manage.py."""
