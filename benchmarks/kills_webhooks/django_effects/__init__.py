"""An application of Django's with one model."""
