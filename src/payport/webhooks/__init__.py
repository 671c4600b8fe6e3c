"""The durable inbox: verify, store, acknowledge, process; and the handlers of domain events."""
