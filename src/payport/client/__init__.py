"""What applications call: `Payport`, `AsyncPayport` and their resources."""
