"""`payport operations`: the journal from a terminal."""

import pytest
from clis import APP

FIELDS = [
    *("idempotency_key", "id", "operation", "state", "reference", "attempt", "payment_id"),
    *("aggregate_id", "scope", "environment", "provider", "account", "endpoint", "route", "sends"),
    *("doubtful", "prepared_at", "first_sent_at", "latest_at", "send_before", "next_look_at"),
    *("concluded_at", "failure", "failure_code", "failure_message", "request_id"),
]


def test_a_list_is_a_stable_document(cli, shop):
    first, second = shop.buy("order_1"), shop.buy("order_2")

    document = cli("operations", "list", *APP, "--json").document

    assert document["next_cursor"] is None
    assert {row["payment_id"] for row in document["operations"]} == {first.id, second.id}
    assert [list(row) for row in document["operations"]] == [FIELDS, FIELDS]
    assert document["operations"][0]["state"] == "confirmed"


def test_a_list_goes_on_where_the_page_before_ended(cli, shop):
    for number in range(3):
        shop.buy(f"order_{number}")

    first = cli("operations", "list", *APP, "--limit", 2, "--json").document
    rest = cli("operations", "list", *APP, "--cursor", first["next_cursor"], "--json").document

    told = [row["id"] for row in (*first["operations"], *rest["operations"])]
    assert len(set(told)) == 3
    assert rest["next_cursor"] is None


def test_a_list_is_of_one_payment_or_state_where_that_is_asked(cli, shop):
    paid = shop.buy("order_1")
    shop.to_review("order_2")

    of_payment = cli("operations", "list", *APP, "--payment", paid.id, "--json").document
    in_state = cli("operations", "list", *APP, "--state", "needs_review", "--json").document

    assert [row["payment_id"] for row in of_payment["operations"]] == [paid.id]
    assert [row["state"] for row in in_state["operations"]] == ["needs_review"]


def test_people_read_a_table(cli, shop):
    paid = shop.buy()

    said = cli("operations", "list", *APP).out

    assert paid.id in said
    assert "create_payment" in said
    assert "{" not in said


def test_what_is_shown_cannot_move_a_terminals_cursor(cli, shop):
    operation = shop.to_review()
    cli(
        *("operations", "resolve", operation, "not_executed", *APP),
        *("--author", "zoe", "--reason", "clear \x1b[2J[bold]all[/bold]"),
    )

    said = cli("operations", "show", operation, *APP).out

    assert r"clear \x1b[2J[bold]all[/bold]" in said
    assert "\x1b" not in said


def test_recovery_concludes_what_a_dead_sender_left(cli, shop):
    shop.crashed()

    done = cli("operations", "recover", *APP, "--json").document

    assert done == {
        "looked_at": 1,
        "concluded": 1,
        "abandoned": 0,
        "unknown": 0,
        "needs_review": 0,
        "stopped": None,
        "waiting": {},
    }
    assert cli("operations", "recover", *APP, "--json").document["looked_at"] == 0


def test_recovery_of_another_scope_is_asked_for(cli, shop):
    shop.crashed()

    elsewhere = cli("operations", "recover", *APP, "--scope", "elsewhere", "--json").document
    everywhere = cli(
        "operations", "recover", *APP, "--scope", "elsewhere", "--every-scope", "--json"
    ).document

    assert (elsewhere["looked_at"], everywhere["looked_at"]) == (0, 1)


def test_recovery_that_leaves_something_to_a_person_says_so_by_its_code(cli, shop, monkeypatch):
    from payport.operations.recovery import Recovered, Recovery  # noqa: PLC0415

    def run(self, account, limit, watch):
        yield from ()
        return Recovered(needs_review=1)

    monkeypatch.setattr(Recovery, "run", run)

    assert cli("operations", "recover", *APP, "--json", code=3).document["needs_review"] == 1


def test_a_persons_word_needs_a_name_and_a_reason(cli, shop):
    operation = shop.to_review()

    nameless = cli("operations", "resolve", operation, "not_executed", *APP, code=2)
    blank = cli(
        *("operations", "resolve", operation, "not_executed", *APP),
        *("--author", " ", "--reason", "looked"),
        code=2,
    )

    assert "--reason" in nameless.err
    assert "author" in blank.err
    assert shop.client().operations.get(operation).state == "needs_review"


def test_a_persons_word_is_kept_and_shown(cli, shop):
    operation = shop.to_review()
    ref = shop.bank.payment("order_1").ref

    done = cli(
        *("operations", "resolve", operation, "executed", *APP, "--provider-ref", ref),
        *("--author", "zoe@shop.example", "--reason", "seen in the dashboard", "--json"),
    ).document
    shown = cli("operations", "show", operation, *APP, "--json").document

    assert done == shown
    assert list(shown) == [*FIELDS, "resolutions"]
    assert shown["state"] == "confirmed"
    (word,) = shown["resolutions"]
    assert list(word) == ["at", "author", "reason", "from_state", "to_state"]
    assert (word["author"], word["reason"]) == ("zoe@shop.example", "seen in the dashboard")
    assert "zoe@shop.example" in cli("operations", "show", operation, *APP).out


def test_what_is_not_there_is_one_line_and_a_code(cli, shop):
    unknown = "op_" + "a" * 26

    for arguments in (("show", unknown), ("list", "--payment", "nonsense")):
        ended = cli("operations", *arguments, *APP, code=None)
        assert ended.code in {1, 2}
        assert ended.out == ""
        assert ended.err.startswith("payport: ")
        assert ended.err.count("\n") == 1


@pytest.mark.parametrize("more", [("--limit", "0"), ("--state", "broken"), ("--loop", "0")])
def test_nonsense_is_refused_by_the_command_line(cli, shop, more):
    command = "recover" if more[0] == "--loop" else "list"

    cli("operations", command, *APP, *more, code=2)
