"""A Django project whose store is its own database, behind a real server."""

from __future__ import annotations

import shutil
import unittest

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.db import connections
from django.test import Client, TestCase, TransactionTestCase, override_settings
from django_databases import make_orders, postgres_settings
from django_shop.models import Order
from served_shops import PATH, TERMS, Shop, on_django, on_django_asgi

from payport import Handlers, PaymentSucceeded, Payport
from payport.integrations.django import DjangoStore, get_payport
from payport.integrations.django.clients import clients
from payport.integrations.django.models import Operation
from payport.integrations.django.testing import empty_tables
from payport.testing import FakeProvider
from payport.testing._store_contract import samples


class Project(Shop):
    """A shop whose handler writes by the ORM, and whose store is `STORE = "django"`."""

    def __init__(self, provider="fake", *, process=False):
        super().__init__(provider, process=process)
        self.store = "django"

    def handlers(self):
        handlers = Handlers()

        @handlers.on(PaymentSucceeded, name="paid")
        def paid(event, tx):
            Order.objects.create(reference=event.reference)
            self.handled.append(event.reference)

        return handlers


def pointed_at(**said):
    """Let the alias "default" be another database."""
    connections["default"].close()
    del connections["default"]
    connections.settings["default"] = connections.configure_settings({"default": said})["default"]


@pytest.fixture(scope="module")
def template(migrated, tmp_path_factory):
    """As `migrated`, with the tables of Django's own applications."""
    path = shutil.copy(migrated, tmp_path_factory.mktemp("project"))
    before = connections.settings["default"]
    pointed_at(ENGINE="django.db.backends.sqlite3", NAME=str(path))
    call_command("migrate", verbosity=0)
    pointed_at(**before)
    return path


@pytest.fixture
def sqlite_file(template, tmp_path):
    path = shutil.copy(template, tmp_path / "project.db")
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)}


@pytest.fixture
def postgres(postgres_url):
    return postgres_settings(postgres_url)


@pytest.fixture
def database(request):
    before = connections.settings["default"]
    pointed_at(**request.getfixturevalue(request.param), ATOMIC_REQUESTS=True)
    if request.param == "postgres":
        with connections["default"].cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS django_shop_order")
        make_orders("default")
    yield request.param
    clients.close()
    pointed_at(**before)


BOTH = pytest.mark.parametrize("database", ["sqlite_file", "postgres"], indirect=True)
SQLITE = pytest.mark.parametrize("database", ["sqlite_file"], indirect=True)
SERVERS = pytest.mark.parametrize("serve", [on_django, on_django_asgi])
PROVIDERS = pytest.mark.parametrize("provider", ["fake", "simulator"])


@BOTH
@SERVERS
@PROVIDERS
def test_a_webhook_becomes_a_row_of_the_projects_once(database, serve, provider):
    with serve(Project(provider, process=True)) as shop:
        for request in shop.webhooks():
            assert [shop.post(request).status_code for _ in range(2)] == [200, 200]
        assert list(Order.objects.values_list("reference", flat=True)) == ["order_1"]
        assert shop.handled == ["order_1"]


@BOTH
@SERVERS
def test_a_payment_inside_atomic_requests_is_refused_before_anything_is_sent(
    database, serve, caplog
):
    with serve(Project()) as shop:
        assert shop.http.post("/pay_inside/order_1").status_code == 500
        said = "".join(str(record.exc_info) for record in caplog.records)
        assert "non_atomic_requests" in said
        assert shop.outside.bank.entries == ()

        assert shop.http.post("/pay/order_1").status_code == 200
        assert shop.outside.bank.charged("order_1") == TERMS["amount"]


@BOTH
def test_a_view_under_atomic_requests_may_read(database):
    with on_django(Project()) as shop:
        shop.http.post("/pay/order_1")
        assert shop.http.get("/read/order_1").text == "succeeded"


@SQLITE
def test_a_database_without_tables_is_an_error_that_says_nothing_outside(database, caplog):
    with connections["default"].cursor() as cursor:
        cursor.execute("DROP TABLE payport_alembic_version")
    with on_django(Project()) as shop:
        other = Payport(shop.outside, store="memory")
        other.payments.create(reference="order_1", **TERMS)
        answer = shop.post(shop.outside.webhooks()[0])
        assert (answer.status_code, answer.text) == (500, "error")


@SQLITE
def test_a_locked_database_asks_the_provider_to_come_again(database):
    connections.settings["default"]["OPTIONS"]["timeout"] = 0.1
    connections["default"].close()
    with on_django(Project()) as shop:
        request = shop.webhooks()[0]
        other = connections["default"].copy()
        with other.cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            answer = shop.post(request)
            assert (answer.status_code, answer.text) == (503, "try again")
            assert answer.headers["retry-after"] == "30"
            cursor.execute("ROLLBACK")
        other.close()
        assert shop.post(request).text == "accepted"


# -- tests of projects ----------------------------------------------------------------------------


def passes(case):
    result = unittest.TestResult()
    unittest.TestSuite([case("test")]).run(result)
    assert result.testsRun == 1
    assert result.wasSuccessful(), result.errors + result.failures


@SQLITE
def test_a_test_case_pays_with_a_journal_in_memory(database):
    fake = FakeProvider()
    handlers = Handlers()

    @handlers.on(PaymentSucceeded, name="paid")
    def paid(event, tx):
        Order.objects.create(reference=event.reference)

    settings = {"PROVIDER": fake, "STORE": "memory", "HANDLERS": handlers}

    @override_settings(PAYPORT=settings)
    class Case(TestCase):
        def test(self):
            assert self.client.post("/pay_inside/order_1").content == b"succeeded"
            fake.deliver(get_payport())
            assert Order.objects.get().reference == "order_1"
            for request in fake.webhooks():
                answer = self.client.post(PATH, request.body, headers=request.headers)
                assert answer.status_code == 200

    passes(Case)
    assert not Order.objects.exists()


@SQLITE
@override_settings(PAYPORT={"PROVIDER": "payport.testing.FakeProvider"})
def test_a_transaction_test_case_pays_on_the_projects_database(database):
    class Case(TransactionTestCase):
        def setUp(self):
            self.addCleanup(empty_tables)

        def test(self):
            self.client.post("/pay/order_1")
            assert Operation.objects.count() == 1

    passes(Case)
    assert not Operation.objects.exists()


# -- the admin ------------------------------------------------------------------------------------


@pytest.fixture
def person(database):
    user = User.objects.create_user("zoe", password="obviously-fake", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_operation"))
    client = Client()
    client.force_login(user)
    DjangoStore().transact(lambda tx: tx.insert_operation(samples.operation()))
    return client


LIST = "/admin/payport/operation/"


@SQLITE
@override_settings(PAYPORT={"PROVIDER": "payport.testing.FakeProvider"})
def test_the_admin_shows_the_journal_and_changes_nothing(person):
    row = samples.operation()
    assert row.reference in person.get(LIST).content.decode()
    detail = person.get(f"{LIST}{row.id}/change/").content.decode()
    assert row.reference in detail
    assert row.key not in detail
    for path in (f"{LIST}{row.id}/delete/", f"{LIST}add/"):
        assert person.get(path).status_code == 403
    assert person.post(f"{LIST}{row.id}/change/", {"state": "confirmed"}).status_code == 403


@SQLITE
@pytest.mark.parametrize("said", [{"STORE": "memory"}, {"SCOPE": 9}], ids=["elsewhere", "wrong"])
def test_the_admin_shows_no_journal_that_is_not_there(person, said):
    with override_settings(PAYPORT={"PROVIDER": "payport.testing.FakeProvider", **said}):
        assert person.get(LIST).status_code == 403
