"""One event that comes a hundred times at once, through a real endpoint."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import sqlalchemy as sa
from loopback import serving
from starlette.applications import Starlette

from payport import AsyncPayport, Handlers, Money, PaymentSucceeded, Payport
from payport.integrations.fastapi import mount_webhooks, payport_lifespan
from payport.testing import AsyncFakeProvider, Bank, FakeProvider

PATH = "/webhooks/payport"
COPIES = 100
WORKERS = 4


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/payments.db"
    return request.getfixturevalue("postgres_url")


def engine_of(url):
    driver = url.replace("postgresql://", "postgresql+psycopg://")
    return sa.create_engine(driver, poolclass=sa.NullPool)


def by_threads(address, request):
    with (
        httpx.Client(limits=httpx.Limits(max_connections=COPIES), timeout=30) as client,
        ThreadPoolExecutor(COPIES) as threads,
    ):
        posted = [
            threads.submit(client.post, address, content=request.body, headers=request.headers)
            for _ in range(COPIES)
        ]
        return [one.result().status_code for one in posted]


def by_tasks(address, request):
    async def post_all():
        limits = httpx.Limits(max_connections=COPIES)
        async with httpx.AsyncClient(limits=limits, timeout=30) as client:
            posted = [
                client.post(address, content=request.body, headers=request.headers)
                for _ in range(COPIES)
            ]
            return [answer.status_code for answer in await asyncio.gather(*posted)]

    return asyncio.run(post_all())


@pytest.mark.parametrize("post", [by_threads, by_tasks])
@pytest.mark.parametrize("colour", ["blocking", "awaited"])
def test_a_hundred_copies_at_once_are_one_row_one_effect_and_a_hundred_times_200(url, colour, post):
    bank, handlers = Bank(), Handlers()

    @handlers.on(PaymentSucceeded, name="paid")
    def paid(event, tx):
        insert = sa.text("INSERT INTO effects (reference) VALUES (:reference)")
        tx.connection.execute(insert, {"reference": event.reference})

    fake = FakeProvider(bank=bank)
    pay = Payport(fake, store=url, handlers=handlers)
    payment = pay.payments.create(
        reference="order_1",
        amount=Money(5000, "USD"),
        payment_method="pm_card_authenticate",
        confirm=True,
        return_url="https://shop.example/",
    )
    with engine_of(url).begin() as connection:
        connection.execute(sa.text("CREATE TABLE effects (reference VARCHAR(80))"))
    fake.webhooks()
    bank.authenticate(payment.provider_ref)
    *_, request = fake.webhooks()

    kinds = {"blocking": (Payport, FakeProvider), "awaited": (AsyncPayport, AsyncFakeProvider)}
    client, provider = kinds[colour]
    receiving = client(provider(bank=bank), store=url, handlers=handlers)
    app = Starlette(lifespan=payport_lifespan(receiving))
    mount_webhooks(app, receiving, PATH)
    with serving(app) as (address,):
        statuses = post(f"{address}{PATH}", request)
    with ThreadPoolExecutor(WORKERS) as threads:
        list(threads.map(lambda _: pay.webhooks.process_due(), range(WORKERS)))

    assert statuses == [200] * COPIES
    assert len(list(pay.webhooks.list())) == 1
    with engine_of(url).connect() as connection:
        effects = connection.execute(sa.text("SELECT reference FROM effects")).scalars().all()
    assert effects == ["order_1"]
    pay.close()
