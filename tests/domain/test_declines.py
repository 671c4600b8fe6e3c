"""Every decline has a reason, a default, and words that are safe to show."""

import dataclasses
import json
import pickle
import re

import pytest

from payport.domain import declines
from payport.domain.declines import (
    DISCREET,
    MESSAGES,
    Decline,
    DeclineAdvice,
    DeclineReason,
    DeclineSource,
)

#: What only people in the trade understand, or what names somebody the customer never met.
JARGON = re.compile(
    r"\b(issuer|acquirer|psp|processor|merchant|cvc|cvv|pan|avs|3ds|3-d|sca|mandate|honou?r|"
    r"decline code|risk|fraud|stolen|lost|blocked|restricted|suspect\w*|error|invalid|null|"
    r"velocity|network)\b|_",
    re.IGNORECASE,
)


@pytest.mark.parametrize("reason", DeclineReason)
class TestEveryReason:
    def test_it_has_a_message_in_plain_words(self, reason):
        message = MESSAGES[reason]

        assert len(message) > 20
        assert message[0].isupper()
        assert message.endswith(".")
        assert not JARGON.search(message)

    def test_it_has_a_usual_source_and_advice(self, reason):
        decline = Decline.of(reason)

        assert decline.reason is reason
        assert isinstance(decline.source, DeclineSource)
        assert isinstance(decline.advice, DeclineAdvice)
        assert (decline.source is DeclineSource.UNKNOWN) == (reason is DeclineReason.UNKNOWN)
        assert (decline.advice is DeclineAdvice.UNKNOWN) == (reason is DeclineReason.UNKNOWN)

    def test_the_providers_code_is_never_shown(self, reason):
        decline = Decline.of(reason, raw="do_not_honor", network_code="05")

        assert decline.user_message == MESSAGES[reason]
        assert (decline.raw, decline.network_code) == ("do_not_honor", "05")


def test_the_tables_hold_every_reason_and_nothing_else():
    assert set(MESSAGES) == set(DeclineReason) == set(declines._DEFAULTS)


@pytest.mark.parametrize("vocabulary", [DeclineReason, DeclineSource, DeclineAdvice])
def test_vocabularies_end_in_unknown(vocabulary):
    assert list(vocabulary)[-1] is vocabulary.UNKNOWN
    assert all(member.value == member.name.lower() for member in vocabulary)


@pytest.mark.parametrize(
    "reason",
    [
        DeclineReason.LOST_OR_STOLEN,
        DeclineReason.SUSPECTED_FRAUD,
        DeclineReason.BLOCKED_BY_RULES,
        DeclineReason.RESTRICTED,
    ],
)
class TestAThiefLearnsNothing:
    def test_the_message_is_that_of_any_refusal(self, reason):
        assert reason in DISCREET
        assert Decline.of(reason).user_message == Decline.of(DeclineReason.GENERIC).user_message
        assert MESSAGES[reason] == MESSAGES[DeclineReason.GENERIC]

    def test_not_even_from_a_careless_translation(self, reason):
        catalogue = {DeclineReason.GENERIC: "Abgelehnt.", reason: "Gestohlen!"}

        assert Decline.of(reason).message(catalogue) == "Abgelehnt."

    def test_not_even_from_a_translation_that_lacks_the_general_sentence(self, reason):
        assert Decline.of(reason).message({reason: "x"}) == MESSAGES[DeclineReason.GENERIC]


class TestTranslation:
    def test_a_catalogue_by_reason(self):
        catalogue = {DeclineReason.EXPIRED_CARD: "Die Karte ist abgelaufen."}

        assert Decline.of(DeclineReason.EXPIRED_CARD).message(catalogue) == (
            "Die Karte ist abgelaufen."
        )

    def test_a_catalogue_from_json(self):
        catalogue = json.loads('{"expired_card": "Die Karte ist abgelaufen."}')

        assert Decline.of(DeclineReason.EXPIRED_CARD).message(catalogue) == (
            "Die Karte ist abgelaufen."
        )

    @pytest.mark.parametrize("catalogue", [None, {}, {"generic": "x"}])
    def test_what_a_catalogue_lacks_is_said_in_english(self, catalogue):
        decline = Decline.of(DeclineReason.EXPIRED_CARD)

        assert decline.message(catalogue) == decline.user_message

    def test_lazy_translations_become_text(self):
        class Lazy:
            def __str__(self):
                return "spät übersetzt"

        assert Decline.of(DeclineReason.GENERIC).message({"generic": Lazy()}) == "spät übersetzt"

    def test_nobody_changes_the_english_ones(self):
        with pytest.raises(TypeError):
            MESSAGES[DeclineReason.GENERIC] = "x"


class TestDecline:
    def test_what_the_provider_knows_better_wins(self):
        decline = Decline.of(
            DeclineReason.INSUFFICIENT_FUNDS,
            source=DeclineSource.NETWORK,
            advice=DeclineAdvice.RETRY_LATER,
        )

        assert decline.source is DeclineSource.NETWORK
        assert decline.advice is DeclineAdvice.RETRY_LATER

    def test_two_declines_are_equal_when_they_mean_the_same(self):
        one = Decline.of(DeclineReason.GENERIC, raw="generic_decline", network_code="05")
        same = Decline.of(DeclineReason.GENERIC, raw="do_not_honor")

        assert one == same
        assert hash(one) == hash(same)
        assert one != Decline.of(DeclineReason.UNKNOWN)
        assert one != Decline.of(DeclineReason.GENERIC, advice=DeclineAdvice.DO_NOT_RETRY)

    def test_it_is_frozen_and_pickles(self):
        decline = Decline.of(DeclineReason.GENERIC, raw="x")

        with pytest.raises(dataclasses.FrozenInstanceError):
            decline.raw = "y"
        assert pickle.loads(pickle.dumps(decline)).raw == "x"  # noqa: S301

    @pytest.mark.parametrize(
        ("reason", "source", "advice"),
        [
            ("insufficient_funds", "issuer", "other_method"),
            ("incorrect_cvc", "issuer", "correct_and_retry"),
            ("authentication_required", "issuer", "authenticate"),
            ("lost_or_stolen", "issuer", "do_not_retry"),
            ("issuer_unavailable", "network", "retry_later"),
            ("processing_error", "processor", "retry_later"),
            ("blocked_by_rules", "processor", "do_not_retry"),
            ("canceled_by_customer", "customer", "other_method"),
            ("generic", "issuer", "contact_bank"),
        ],
    )
    def test_defaults_that_applications_build_on(self, reason, source, advice):
        decline = Decline.of(DeclineReason(reason))

        assert (decline.source, decline.advice) == (source, advice)
