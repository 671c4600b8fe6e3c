"""Django's migrations of payport's tables."""
