"""The base classes of the catalog's readers and writers: they hold the connection of a transaction and store rows.

Each subject has its own module with its tables' queries (`…Reader`) and changes (`…Writer`); `transactions` composes
them. `backend` has the statements that differ between databases.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from feeds.catalog.backend import Database, Rows, Statement


class ReadAccess:
    """Access to the connection of a transaction, for queries."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection


class WriteAccess(ReadAccess):
    """Access to the connection of a transaction that writes, and to the statements of its database."""

    def __init__(self, connection: sa.Connection, database: Database) -> None:
        super().__init__(connection)
        self._database = database

    def _add(self, table: sa.Table, names: Sequence[str], rows: Rows) -> None:
        """Insert rows with values in the order of the columns' names."""
        if rows:
            self._database.add(self._connection, table, names, rows)

    def _many(self, statement: Statement, names: Sequence[str], rows: Rows) -> None:
        """Execute a statement once per row, with values in the order of the parameters' names."""
        if rows:
            self._database.many(self._connection, statement, names, rows)

    def _upsert(self, table: sa.Table, names: Sequence[str], rows: Rows) -> None:
        """Insert rows, or update those with the same primary key."""
        insert = self._database.insert(table)
        values = {column.name: insert.excluded[column.name] for column in table.c if not column.primary_key}
        self._many(insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=values), names, rows)
