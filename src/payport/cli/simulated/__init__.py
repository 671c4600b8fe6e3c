"""What runs on a provider's simulator: `payport listen` and `payport trigger`."""
