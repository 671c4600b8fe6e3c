"""What Tollgate is to payport: what it can do, what it makes of keys, and what it accepts."""

from typing import Final

from payport.domain.identifiers import Environment
from payport.providers.spec import Capability, IdempotencyProfile, Limits, ProviderSpec, Resolution

SPEC: Final = ProviderSpec(
    name="tollgate",
    capabilities=frozenset(
        {
            Capability.REFUND,
            Capability.PARTIAL_REFUND,
            Capability.RETRIEVE_PAYMENT,
            Capability.FIND,
            Capability.WEBHOOKS,
        }
    ),
    # "Each POST makes an order." There is no header and no field for a key; `ref`, which is ours,
    # may be there twice. So what was sent is never sent again.
    idempotency=IdempotencyProfile(placement="none", max_length=64, life=None, scope="none"),
    # An order is read by its id, and found by its ref. A webhook is no way: anybody can send one.
    resolution=(Resolution.RETRIEVE, Resolution.FIND, Resolution.REVIEW),
    # "From 0.01 to 99999999.99"; there is no place for metadata.
    limits=Limits(max_amount=9_999_999_999, metadata_keys=0, description_length=120),
    # "No more than 20 requests a second, 5 in the sandbox."
    rates={Environment.LIVE: 20, Environment.TEST: 5},
    signs_webhooks=False,
)
