import re
import sqlite3
from dataclasses import fields

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from postgres_help import ask, psycopg_url
from sqlalchemy.dialects import postgresql, sqlite

import payport.storage
from payport.operations.records import OperationRecord, ResolutionRecord
from payport.storage import rows, schema
from payport.storage.base import FIXED, HandlerRun, InboxRow, RestorationRecord
from payport.storage.migrate import HEAD, VERSION_TABLE, migrate
from payport.storage.migrations.versions import r0001_everything, r0002_accounts
from payport.storage.schema import metadata
from payport.storage.statements import DIALECTS, Listing, Statements, statements_for
from payport.testing._store_contract import samples


def scripts():
    config = Config()
    config.set_main_option("script_location", "payport.storage:migrations")
    return ScriptDirectory.from_config(config)


def definitions(path):
    """What SQLite knows of each table and index, whatever the order of its clauses."""
    with sqlite3.connect(path) as database:
        found = database.execute(
            "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"
        ).fetchall()
    database.close()
    # SQLite writes a column that was added behind the last one, in its line.
    parts = re.compile(r"\n|, (?=\w+ TEXT)")
    return {
        name: sorted(re.sub(r"\s+", " ", part).strip(" ,") for part in parts.split(sql))
        for name, sql in found
        if name != VERSION_TABLE
    }


def test_there_is_one_head_and_it_is_the_one_that_is_asked_for():
    assert scripts().get_heads() == [HEAD]


def test_migrating_makes_exactly_the_tables_of_the_schema(db, tmp_path):
    path = tmp_path / "schema.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    metadata.create_all(engine)
    engine.dispose()
    assert definitions(db) == definitions(path)


def test_the_revisions_alone_make_the_tables_of_the_schema(tmp_path, db):
    path = tmp_path / "revisions.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        r0001_everything.upgrade()
        r0002_accounts.upgrade()
    engine.dispose()
    assert definitions(path) == definitions(db)


def test_alembic_sees_no_difference_between_schema_and_tables(db):
    engine = sa.create_engine(f"sqlite:///{db}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def described(url):
    """What PostgreSQL knows of each column, constraint and index."""
    columns = (
        "SELECT table_name, column_name, data_type, is_nullable, collation_name, column_default, "
        "ordinal_position FROM information_schema.columns WHERE table_schema = 'public'"
    )
    constraints = (
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE connamespace = 'public'::regnamespace"
    )
    indexes = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
    found = [row for asked in (columns, constraints, indexes) for row in ask(url, asked)]
    return sorted((row for row in found if row[0] != VERSION_TABLE), key=str)


def test_migrating_makes_exactly_the_tables_of_the_schema_on_postgresql(new_postgres_url):
    migrated, made = new_postgres_url(), new_postgres_url()
    payport.storage.upgrade(migrated)
    engine = sa.create_engine(psycopg_url(made))
    metadata.create_all(engine)
    engine.dispose()
    assert len(described(made)) > 150
    assert described(migrated) == described(made)


def test_alembic_sees_no_difference_between_schema_and_tables_on_postgresql(postgres_database):
    engine = sa.create_engine(psycopg_url(postgres_database))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_an_upgrade_that_fails_leaves_nothing_on_postgresql(new_postgres_url, monkeypatch):
    def fail(*_):
        raise RuntimeError

    url = new_postgres_url()
    monkeypatch.setattr("alembic.ddl.postgresql.PostgresqlImpl.create_index", fail)
    with pytest.raises(RuntimeError):
        payport.storage.upgrade(url)
    assert described(url) == []


def test_a_migration_that_fails_leaves_nothing(path, monkeypatch):
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"isolation_level": None})

    def fail(*_):
        raise RuntimeError

    monkeypatch.setattr("alembic.ddl.impl.DefaultImpl.create_index", fail)
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(RuntimeError):
            migrate(connection)
        connection.rollback()
        assert sa.inspect(connection).get_table_names() == []
    engine.dispose()


def test_migrating_what_is_up_to_date_does_nothing(db):
    engine = sa.create_engine(f"sqlite:///{db}")
    with engine.connect() as connection:
        migrate(connection)
    engine.dispose()


def test_an_applications_autogenerate_does_not_touch_payports_tables(db):
    theirs = sa.MetaData()
    sa.Table("orders", theirs, sa.Column("id", sa.Integer, primary_key=True))
    engine = sa.create_engine(f"sqlite:///{db}")
    with engine.connect() as connection:
        options = {"include_name": payport.storage.include_name}
        kept = compare_metadata(MigrationContext.configure(connection, opts=options), theirs)
        careless = compare_metadata(MigrationContext.configure(connection), theirs)
    engine.dispose()
    assert [change[0] for change in kept] == ["add_table"]
    # What would happen without it.
    assert "remove_table" in {change[0] for change in careless if isinstance(change, tuple)}


@pytest.mark.parametrize(
    ("name", "kind", "included"),
    [
        ("payport_payments", "table", False),
        (VERSION_TABLE, "table", False),
        ("orders", "table", True),
        ("payport_note", "column", True),
        (None, "schema", True),
    ],
)
def test_only_payports_tables_are_left_out(name, kind, included):
    assert payport.storage.include_name(name, kind, {}) is included


# -- schema and statements --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "record"),
    [
        (schema.operations, OperationRecord),
        (schema.inbox, InboxRow),
        (schema.handler_runs, HandlerRun),
    ],
)
def test_every_attribute_of_a_record_has_a_column(table, record):
    assert [column.name for column in table.columns] == [part.name for part in fields(record)]


@pytest.mark.parametrize(
    ("table", "record"),
    [(schema.resolutions, ResolutionRecord), (schema.restorations, RestorationRecord)],
)
def test_every_attribute_of_a_persons_word_has_a_column_behind_its_number(table, record):
    named = [column.name for column in table.columns]
    assert named == ["seq", *(part.name for part in fields(record))]


def test_every_database_is_told_from_every_other_from_the_beginning(tmp_path, open_store):
    def generation(name):
        store = open_store(tmp_path / name)
        return store.transact(lambda tx: tx.store_row())["generation"]

    assert generation("one.db") != generation("other.db")


def test_what_was_received_before_accounts_were_kept_stays_somebodys_or_anybodys(path):
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"isolation_level": None})
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        migrate(connection, "0001")
        for name, account in (("dlv_1", "acct_1"), ("dlv_2", None)):
            row = rows.delivery_row(samples.delivery(name, account=account))
            del row["received_for"]
            connection.execute(sa.insert(schema.inbox), row)
        row = rows.handler_run_row(samples.run())
        del row["account"]
        connection.execute(sa.insert(schema.handler_runs), row)
        migrate(connection)
        whose = sa.select(schema.inbox.c.received_for).order_by(schema.inbox.c.id)
        assert connection.scalars(whose).all() == ["acct_1", None]
        assert connection.scalars(sa.select(schema.handler_runs.c.account)).all() == [None]
        connection.rollback()
    engine.dispose()


def test_what_never_changes_are_columns():
    assert set(FIXED) < {column.name for column in schema.operations.columns}


def test_every_table_carries_payports_prefix():
    assert all(name.startswith("payport_") for name in metadata.tables)
    assert len(metadata.tables) == 10


def test_the_identity_of_an_operation_is_unique_without_the_provider():
    unique = [
        [column.name for column in constraint.columns]
        for constraint in schema.operations.constraints
        if isinstance(constraint, sa.UniqueConstraint)
    ]
    identity = ["scope", "environment", "operation", "aggregate_id", "reference", "attempt"]
    assert sorted(unique) == [["key"], identity]


def compiled(dialect):
    made = Statements(dialect.name)
    for name, statement in vars(made).items():
        if isinstance(statement, Listing):
            built = [statement._build(frozenset(statement._filters))]
        else:
            built = statement.values() if isinstance(statement, dict) else [statement]
        for each in built:
            yield name, str(each.compile(dialect=dialect))


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_every_statement_and_table_is_sql_of_every_database(name):
    dialect = {"postgresql": postgresql, "sqlite": sqlite}[name].dialect()
    made = dict(compiled(dialect))
    assert len(made) > 25
    for table in metadata.sorted_tables:
        assert "CREATE TABLE" in str(sa.schema.CreateTable(table).compile(dialect=dialect))
    locked = {statement for statement, sql in made.items() if "FOR UPDATE" in sql}
    takes = {"due_operations_locked", "due_deliveries", "due_handler_runs"}
    holds = {"payment_locked", "operation_locked", "delivery_locked", "handler_run", *takes}
    holds |= {"hold_payments"}
    assert locked == (holds if name == "postgresql" else set())
    passing = {statement for statement, sql in made.items() if "SKIP LOCKED" in sql}
    assert passing == (takes if name == "postgresql" else set())


def test_names_fit_into_every_database():
    names = [index.name for table in metadata.tables.values() for index in table.indexes]
    names += [c.name for table in metadata.tables.values() for c in table.constraints]
    assert all(len(str(name)) < 64 for name in names)


def test_statements_are_built_once():
    assert statements_for("sqlite") is statements_for("sqlite")
    assert statements_for("sqlite") is not statements_for("postgresql")
    listing = statements_for("sqlite").payments
    assert listing.statement(samples.query()) is listing.statement(samples.query(limit=3))
    assert listing.statement(samples.query()) is not listing.statement(samples.query(status="x"))


@pytest.mark.parametrize(
    ("name", "query", "index"),
    [
        ("payments", {}, "ix_payport_payments_scope_environment_created_at_id"),
        ("payments", {"status": "x"}, "ix_payport_payments_scope_environment_status_created_at_id"),
        ("operations", {}, "ix_payport_operations_scope_environment_prepared_at_id"),
        (
            "operations",
            {"status": "x"},
            "ix_payport_operations_scope_environment_state_prepared_at_id",
        ),
        ("refunds", {}, "ix_payport_refunds_scope_environment_created_at_id"),
    ],
)
def test_listings_walk_an_index_and_sort_nothing(db, name, query, index):
    used = frozenset({"after", *query})
    statement = getattr(statements_for("sqlite"), name)._build(used)
    assert index in (plan := plan_of(db, statement)), plan
    assert "TEMP B-TREE" not in plan
    assert samples.query(**query).status == query.get("status")


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("due_deliveries", "ix_payport_inbox_due (provider=? AND environment=? AND due_at<?)"),
        ("due_deliveries", "ix_payport_inbox_line"),
        ("due_deliveries", "ix_payport_inbox_claimed"),
        ("claimed_in_line", "ix_payport_inbox_claimed"),
        ("hold_line", "ix_payport_inbox_line"),
        ("reconsider", "ix_payport_inbox_foreign"),
        ("prune_bodies", "ix_payport_inbox_bodies"),
        (
            "due_handler_runs",
            "ix_payport_handler_runs_due (provider=? AND environment=? AND due_at<?)",
        ),
    ],
)
def test_what_is_sought_in_the_inbox_is_found_by_the_small_indexes(db, name, index):
    statement = getattr(statements_for("sqlite"), name)
    for one in statement.values() if isinstance(statement, dict) else [statement]:
        plan = plan_of(db, one)
        assert index in plan
        assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize("named", list(statements_for("sqlite").due_operations))
def test_due_operations_are_found_by_the_small_index(db, named):
    plan = plan_of(db, statements_for("sqlite").due_operations[named])
    assert "ix_payport_operations_due (environment=? AND provider=? AND next_look_at<?)" in plan
    assert "TEMP B-TREE" not in plan


def plan_of(db, statement):
    sql = str(statement.compile(dialect=sqlite.dialect()))
    with sqlite3.connect(db) as database:
        rows = database.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * sql.count("?")).fetchall()
    database.close()
    return "\n".join(row[3] for row in rows)
