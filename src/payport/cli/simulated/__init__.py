"""What runs on the Stripe simulator: `payport listen`, `payport trigger` and its scenarios."""
