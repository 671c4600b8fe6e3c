"""Tollgate for payport. Tollgate does not exist: see docs/adding-a-provider.md of payport."""

from payport_tollgate.provider import AsyncTollgateProvider, TollgateProvider

__all__ = ["AsyncTollgateProvider", "TollgateProvider"]
