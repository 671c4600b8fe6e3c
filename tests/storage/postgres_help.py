import psycopg


def psycopg_url(url):
    """What SQLAlchemy needs to take psycopg 3."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def ask(url, statement, *values):
    """The rows of one statement, on a connection of the driver's that commits by itself."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(statement, values or None)
        return found.fetchall() if found.description else []


def dumped(url):
    """Everything that payport's tables hold, as bytes."""
    tables = ask(url, "SELECT tablename FROM pg_tables WHERE tablename LIKE 'payport%'")
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        parts = []
        for (table,) in tables:
            with cursor.copy(f"COPY {table} TO STDOUT") as copy:
                parts.extend(bytes(part) for part in copy)
    return b"".join(parts)
