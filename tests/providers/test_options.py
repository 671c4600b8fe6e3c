"""What constructors take is written down once for both colours; a wrong name is told at once."""

from __future__ import annotations

import inspect
import traceback
from typing import Any

import pytest

from payport.providers.adyen import AdyenProvider, AsyncAdyenProvider
from payport.providers.adyen.settings import Options as AdyensOptions
from payport.providers.stripe import AsyncStripeProvider, StripeProvider
from payport.providers.stripe.settings import Options as StripesOptions

KEY = "sk_test_obviouslyfakekey"
MADE = [
    (StripeProvider, StripesOptions),
    (AsyncStripeProvider, StripesOptions),
    (AdyenProvider, AdyensOptions),
    (AsyncAdyenProvider, AdyensOptions),
]


@pytest.mark.parametrize(("make", "options"), MADE, ids=lambda one: one.__name__)
def test_a_name_that_nobody_knows_is_refused_and_shows_no_key(make: Any, options: Any) -> None:
    given = dict.fromkeys(options.__required_keys__, KEY)
    with pytest.raises(TypeError, match="unexpected keyword argument 'webhook_secret'") as caught:
        make(**given, webhook_secret="whsec_one")
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames = [frame for frame in told.stack if "/providers/" in frame.filename]
    inside = [f for f in frames if "/tests/" not in f.filename]
    assert inside
    assert KEY not in str([frame.locals for frame in inside])


@pytest.mark.parametrize(("make", "options"), MADE, ids=lambda one: one.__name__)
def test_what_is_needed_is_asked_for(make: Any, options: Any) -> None:
    for name in options.__required_keys__:
        given = {one: KEY for one in options.__required_keys__ if one != name}
        with pytest.raises(TypeError, match=f"missing a required keyword argument: '{name}'"):
            make(**given)


@pytest.mark.parametrize(("make", "options"), MADE[::2], ids=lambda one: one.__name__)
def test_every_option_is_explained(make: Any, options: Any) -> None:
    told = inspect.getdoc(make) or ""
    known = options.__required_keys__ | options.__optional_keys__
    assert [name for name in sorted(known) if f"    {name}: " not in told] == []
