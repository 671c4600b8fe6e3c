"""`make fidelity` tells all that is known of the fidelity, and fails where it is not given."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import report
import sections
from sending import everything_sent
from wire_fidelity import measured

HERE = Path(__file__).parent


def test_the_report_tells_all_parts_and_exits_with_success() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(HERE / "report.py")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for line in (
        "42 invoices: what Stripe Billing makes of subscriptions",
        "Stripe simulator: 288 recorded calls, 200 in scope: 21 answered equally, 179 differ",
        "Stripe adapter: 147 of 147 real answers and samples are read",
        "requests of 12 kinds fit the SDK's parameter types",
        "34 of 34 endpoints called sync, 34 async, 0 faults",
    ):
        assert line in done.stdout


def test_without_the_sdk_the_recorded_calls_are_replayed_all_the_same() -> None:
    """Nor is an HTTP client needed: this is what an installation without the extra has."""
    code = (
        "import sys; sys.modules |= dict.fromkeys(('httpx', 'respx', 'stripe'));"
        f"sys.path[:0] = {sys.path!r}; sys.path.insert(0, {str(HERE)!r});"
        "import report; told = report.report();"
        "assert told.is_true and not told.sections, told.text; print(told.summary)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Stripe simulator: 288 recorded calls")


def test_a_fault_of_any_part_is_told_and_is_no_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = sections.Section(summary="a part", counts=Counter(of=3), faults=("it broke",))
    told = report.Report(wire=measured(of=()), sections=(wrong,))
    monkeypatch.setattr(report, "report", lambda: told)
    assert report.main() == 1
    assert "to be mended:" in capsys.readouterr().out
    assert "it broke" in told.text


def test_a_reading_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    one, *_ = sections.readings()
    monkeypatch.setattr(sections, "readings", lambda: [type(one)(name="x", kind="k", check=boom)])
    told = sections.answers_read()
    assert told.faults == ("k: x: ZeroDivisionError('oh')",)
    assert told.summary == "Stripe adapter: 0 of 1 real answers and samples are read"


def boom() -> None:
    raise ZeroDivisionError("oh")


def test_a_part_that_breaks_off_is_told_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sections, "everything_sent", boom)
    read, sent, called = sections.sections()
    assert sent.faults == ("requests_sent broke off: ZeroDivisionError('oh')",)
    assert not read.faults + called.faults


def test_a_request_that_fits_no_type_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    (one, *_) = everything_sent()
    bad = one.request.body.replace(b"usd&confirm=true", b"usd&confirm=perhaps")
    assert bad != one.request.body
    changed = type(one)(
        what=one.what,
        request=type(one.request)(
            operation=one.request.operation,
            method="POST",
            target=one.request.target,
            body=bad,
            key=one.request.key,
        ),
        status=400,
    )
    monkeypatch.setattr(sections, "everything_sent", lambda: (changed,))
    faults = sections.requests_sent().faults
    assert f"{one.what}: POST /v1/payment_intents: confirm cannot be 'perhaps'" in faults
    assert f"{one.what}: POST /v1/payment_intents was answered 400" in faults
    assert "GET /v1/refunds was never sent" in faults


def test_an_endpoint_that_is_not_called_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    called = sections.called
    monkeypatch.setattr(sections, "called", lambda *about: called(*about)[:-1])
    told = sections.calls_made()
    assert told.faults == ("sync: retrieve_event was never called",)
    assert "33 of 34 endpoints called sync, 34 async, 1 faults" in told.summary
