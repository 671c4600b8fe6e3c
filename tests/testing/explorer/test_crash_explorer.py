"""
The explorer finds nothing in payport, and finds every bug that is planted in it; what it finds, its
seed finds again.
"""

import pickle
from pathlib import Path

import pytest
from planted import BUGS, recovery_sends_what_never_was, sent_is_written_after_the_send

from payport.domain.errors import InvalidRequest
from payport.testing.explorer import PROFILES, CrashExplorer, Outcome, Report
from payport.testing.explorer.__main__ import main, profile_of
from payport.testing.explorer.crashes import Crash
from payport.testing.explorer.network import DISK_FAULTS, NETWORK_FAULTS
from payport.testing.explorer.stories import STORIES
from payport.testing.provider_contract import FakeHarness

EXAMPLE = Path(__file__).parents[3] / "examples" / "adapter"

FAKES = ["stripe_like", "adyen_like", "keyless", "redirecting"]
SEEDS = range(67)
"""Of each of the four: more than two hundred storms in all."""


@pytest.fixture(scope="module")
def raged():
    """What the storms came to, by profile."""
    return {profile: CrashExplorer(profile).storms(SEEDS) for profile in FAKES}


@pytest.mark.parametrize("profile", FAKES)
def test_whatever_goes_wrong_journal_and_bank_agree(profile, raged):
    report = raged[profile]
    assert report.ok, report
    assert report.worlds == len(SEEDS)
    assert report.operations > 20 * len(SEEDS)
    assert report.crashes > len(SEEDS)
    assert report.reviewed > 0


def test_storms_rage_at_the_adapters_and_over_files_too():
    explorers = ("stripe", "memory"), ("adyen", "memory"), ("stripe_like", "sqlite")
    for explorer in [CrashExplorer(*one) for one in explorers]:
        report = explorer.storms(range(4))
        assert report.ok, report


def test_every_fault_strikes(raged):
    report = Report()
    for one in raged.values():
        report.merge(one)
    happenings = {
        "crash",
        "paused sender",
        "clock jumps",
        "account swapped",
        "route changed",
        "no turn free",
    }
    wanted = {*NETWORK_FAULTS, *DISK_FAULTS, *happenings, "two recoverers at once"}
    assert {*wanted, "webhook before response", "asked twice at once"} <= set(report.faults)


@pytest.mark.parametrize("case", CrashExplorer.cases())
@pytest.mark.parametrize("profile", FAKES)
def test_a_crash_at_any_stop_leaves_one_effect(profile, case):
    report = CrashExplorer(profile).crashes(case=case)
    assert report.ok or not report.worlds, report


@pytest.mark.parametrize("case", ["capture", "second-card"])
def test_two_crashes_at_any_two_stops_leave_one_effect(case):
    report = CrashExplorer("stripe_like").crashes(case=case, pairs=True)
    assert report.ok, report
    assert report.crashes > report.worlds  # most of them die twice


@pytest.mark.parametrize("case", ["capture", "refund"])
def test_a_crash_at_any_stop_of_the_adyen_adapter_leaves_one_effect(case):
    report = CrashExplorer("adyen").crashes(case=case)
    assert report.ok, report
    assert report.crashes


def test_a_crash_at_any_stop_leaves_one_effect_in_a_file():
    report = CrashExplorer("adyen_like", "sqlite").crashes(case="refund")
    assert report.ok, report


@pytest.mark.parametrize("bug", BUGS, ids=str)
def test_a_planted_bug_is_found_and_its_seed_finds_it_again(bug, monkeypatch):
    explorer = CrashExplorer(bug.profile, bug.store)
    with monkeypatch.context() as patch:
        bug.plant(patch)
        storms = (explorer.storm(seed) for seed in range(bug.within))
        found = next((outcome for outcome in storms if outcome.broken), None)
        assert found is not None, f"{bug.within} seeds were not enough"
        again = explorer.storm(int(found.replay))
    assert again == found
    assert bug.says in str(found)
    assert f"--seed '{found.replay}'" in str(Report.of([found]))
    assert not explorer.storm(int(found.replay)).broken, "it was not the bug"


@pytest.mark.parametrize(
    ("plant", "case"),
    [
        (recovery_sends_what_never_was, "create-in-turn"),
        (sent_is_written_after_the_send, "create"),
    ],
)
def test_a_planted_bug_is_found_without_any_chance(plant, case, monkeypatch):
    explorer = CrashExplorer("stripe_like")
    with monkeypatch.context() as patch:
        plant(patch)
        report = explorer.crashes(case=case)
        assert not report.ok
        name = report.failures[0].replay
        assert explorer.crash(name).broken == report.failures[0].broken
    assert not explorer.crash(name).broken


def test_a_seed_says_everything():
    explorer = CrashExplorer("adyen_like")
    once, twice = (explorer.storm(11, telling=True) for _ in range(2))
    assert once.history
    assert once == twice
    assert not explorer.storm(11).history


def test_an_author_explores_the_adapter_that_the_contract_is_run_on(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLE))
    from payport_tollgate.testing.harness import TollgateHarness  # noqa: PLC0415 - on the path now

    assert CrashExplorer(FakeHarness).storms(range(3)).ok
    report = CrashExplorer(TollgateHarness).storms(range(25))
    assert report.ok, report


def test_the_stories_ask_for_every_operation():
    wishes = {w.method for story in STORIES.values() for w in story.tell(str)}
    assert wishes == {
        "payments.create",
        "payments.confirm",
        "payments.capture",
        "payments.cancel",
        "refunds.create",
    }


@pytest.mark.parametrize("name", ["refund/7/recovery/3", "refund/7/again", "create/429/webhooks"])
def test_a_crash_has_a_name(name):
    assert str(Crash.parse(name)) == name


@pytest.mark.parametrize("name", ["", "nonsense", "refund", "refund/x/again", "refund/1/nobody"])
def test_what_is_no_crash_is_refused(name):
    with pytest.raises(InvalidRequest, match="no crash"):
        CrashExplorer().crash(name)


@pytest.mark.parametrize("wrong", [{"processor": "paypal"}, {"store": "floppy"}])
def test_what_there_is_not_is_refused(wrong):
    with pytest.raises(InvalidRequest, match="there are"):
        CrashExplorer(**wrong)


# -- the command ----------------------------------------------------------------------------------


def test_the_command_counts_what_it_did(capsys):
    assert main(["--seeds", "6", "--crashes", "none", "--routes", "none", "--cores", "1"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("6 worlds, ")
    assert "0 failures" in told
    assert "worlds/s" in told


def test_the_command_stops_when_its_time_is_over(capsys):
    status = main(
        [
            "--seeds",
            "1000000",
            "--crashes",
            "none",
            "--routes",
            "none",
            "--cores",
            "1",
            "--minutes",
            "0.005",
        ]
    )
    assert status == 0
    assert "were over before all of it" in capsys.readouterr().out


def test_the_command_repeats_a_seed_and_fails_where_it_fails(capsys, monkeypatch):
    with monkeypatch.context() as patch:
        sent_is_written_after_the_send(patch)
        assert main(["--seed", "0", "--profile", "stripe_like"]) == 1
        told = capsys.readouterr().out
        assert "before a commit" in told  # what happened,
        assert "FAILED: --seed '0' --profile stripe_like" in told  # and how to see it again
        assert "without a committed row" in told
    assert main(["--seed", "0", "--profile", "stripe_like"]) == 0
    assert "held: --seed '0'" in capsys.readouterr().out


def test_the_command_repeats_a_crash(capsys):
    assert main(["--crash", "refund/4/again", "--profile", "keyless"]) == 0
    assert "dies" in capsys.readouterr().out
    assert main(["--crash", "nonsense"]) == 2


def test_seeds_without_a_profile_have_each_in_turn():
    assert {profile_of(seed) for seed in range(40)} == set(PROFILES)


def test_outcomes_travel_between_processes():
    report = Report.of([Outcome(replay="3", broken=("this",), operations=2), Outcome(replay="4")])
    again = pickle.loads(pickle.dumps(report))  # noqa: S301 - its own
    assert again == report
    assert (again.worlds, again.operations, again.ok) == (2, 2, False)
    assert not Report().ok  # nothing was looked at
