"""
Throw at `receive` whatever can be made of real webhooks, for so many seconds: `make fuzz`.

It may raise `WebhookRejected`, and nothing else, and never takes long. What it accepts is
processed, which raises nothing. A failure prints the seed and the number of the input: both make
it again.
"""

import argparse
import copy
import json
import random
import sys
import time

from payport import Money, Payport, WebhookRejected
from payport.testing import FakeProvider, adyen_like, stripe_like
from payport.testing.fake.outbox import SIGNATURE_HEADER, signature

SECRET = "whsec_fake_0001"
SLOW = 1.0
PIECES = (
    *(b'"', b"{", b"}", b"[", b"]", b":", b",", b"\\u", b"\\", b"\x00", b"\xff", b"null", b"1e400"),
    *(
        b"NaN",
        b"-0",
        b"1" * 400,
        b"[" * 4000,
        b'{"a":' * 4000,
        b'"client_secret":"',
        b"\xef\xbb\xbf",
    ),
)
VALUES = (None, True, -1, 2**70, 1.5, "", "\ud800", "x" * 9000, [], {}, [[]], {"id": {}}, "pi_1")


def seeds(behaviour):
    """A client, and the bodies of real webhooks."""
    fake = FakeProvider(behaviour=behaviour)
    pay = Payport(fake)
    for number in range(3):
        pay.payments.create(
            reference=f"order_{number}",
            amount=Money(5000, "USD"),
            payment_method="pm_card_visa",
            confirm=True,
        )
    fake.bank.refund("order_0", Money(100, "USD"))
    return fake, pay, [request.body for request in fake.webhooks()]


def places(value):
    """Every container in a value with each of its keys."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


def mutated(chance, body):
    """A body that differs a little, or a lot."""
    if chance.random() < 0.5:
        told = json.loads(body)
        for _ in range(chance.randint(1, 3)):
            found = list(places(told))
            if found:
                container, key = chance.choice(found)
                container[key] = copy.deepcopy(chance.choice(VALUES))
        return json.dumps(told).encode()
    made = bytearray(body)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(made) + 1)
        made[at : at + chance.choice((0, 0, 1, 9))] = chance.choice(PIECES)
    return bytes(made)


def header(chance, now, body):
    """Mostly the right signature."""
    at = str(now)
    right = f"t={at},v1={signature(SECRET, at, body)}"
    wrong = (
        "",
        "t=,v1=",
        right[:-1],
        right.replace("v1", "v0"),
        f"{right},{right}",
        "\ud800",
        "=,",
    )
    return right if chance.random() < 0.8 else chance.choice(wrong)


def fuzz(seconds, seed):
    """Fuzz for so long; how many inputs that were, and how many were accepted."""
    ends, tried, accepted = time.monotonic() + seconds, 0, 0
    sets = [seeds(stripe_like()), seeds(adyen_like())]
    while time.monotonic() < ends:
        chance = random.Random(f"{seed}:{tried}")
        fake, pay, bodies = chance.choice(sets)
        body = mutated(chance, chance.choice(bodies))
        given = {SIGNATURE_HEADER: header(chance, int(fake.clock.now().timestamp()), body)}
        began = time.monotonic()
        try:
            pay.webhooks.receive(body=body, headers=given)
            accepted += 1
        except WebhookRejected:
            pass
        except BaseException:
            sys.stderr.write(f"seed {seed}, input {tried}: {body[:200]!r}\n")
            raise
        if time.monotonic() - began > SLOW:
            raise AssertionError(f"seed {seed}, input {tried} took too long")
        tried += 1
        if tried % 200 == 0:
            pay.webhooks.process_due()
    return tried, accepted


def main():
    """Fuzz for `--seconds` with `--seed`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    asked = parser.parse_args()
    tried, accepted = fuzz(asked.seconds, asked.seed)
    sys.stdout.write(f"seed {asked.seed}: {tried} inputs, {accepted} accepted, the others not\n")


if __name__ == "__main__":
    main()
