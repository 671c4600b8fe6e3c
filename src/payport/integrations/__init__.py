"""Payport in web frameworks, one module for each; nothing else of payport imports them."""
