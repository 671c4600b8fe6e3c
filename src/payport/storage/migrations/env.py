"""
What alembic runs before the scripts: on the connection it was given and in the transaction that is
open there, so that tables and version appear together or not at all. It never connects by itself.
"""

from alembic import context

from payport.storage.migrate import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    # SQLite's data definition is transactional; alembic assumes otherwise because the driver was.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
