"""alembic's scripts for payport's tables, inside the package: every installation has them."""
