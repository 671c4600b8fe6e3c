"""Several providers in the place of one: rules that decide, and the router that holds them."""

from payport.providers.routing.router import AsyncRouter, Router
from payport.providers.routing.rules import Asked, Candidate, Rule

__all__ = ["Asked", "AsyncRouter", "Candidate", "Router", "Rule"]
