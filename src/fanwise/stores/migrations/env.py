"""The script that Alembic runs: the revisions, on the connection and in the transaction given."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    # One transaction holds all of them, so that a failure leaves the store as it was.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
