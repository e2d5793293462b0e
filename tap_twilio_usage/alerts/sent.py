"""The table `alerts_sent`: which alert was sent to whom. Rows are only ever added."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timezone

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Integer,
    MetaData,
    String,
    Table,
    func,
    insert,
    select,
)

from tap_twilio_usage.alerts.alert import Alert

TABLE = "alerts_sent"


def recipient_of(url: str) -> str:
    """Return the name of a URL in the table, from which its secrets cannot be guessed."""
    return hashlib.scrypt(url.encode(), salt=TABLE.encode(), n=2**14, r=8, p=1, dklen=16).hex()


class Sent:
    """The table, in a schema. It is created if it is missing."""

    def __init__(self, connection: Connection, schema: str | None) -> None:
        """Take a connection that may write."""
        self._connection = connection
        self._table = Table(
            TABLE,
            MetaData(schema=schema),
            Column("alert", String(1000), nullable=False),
            Column("recipient", String(32), nullable=False),
            Column("level", Integer, nullable=False),
            Column("sent_at", DateTime(timezone=True), nullable=False),
        )
        self._table.create(connection, checkfirst=True)
        connection.commit()

    def new(self, alerts: Iterable[Alert], recipient: str) -> list[Alert]:
        """Return the alerts that were not sent to the recipient, or with a lower level only."""
        columns = self._table.c
        query = (
            select(columns.alert, func.max(columns.level))
            .where(columns.recipient == recipient)
            .group_by(columns.alert)
        )
        levels: dict[str, int] = dict(self._connection.execute(query).tuples().all())
        return [alert for alert in alerts if alert.level > levels.get(alert.key, 0)]

    def add(self, alerts: Iterable[Alert], recipient: str) -> None:
        """Note that the alerts were sent to the recipient."""
        now = datetime.now(timezone.utc)
        rows = [
            {"alert": alert.key, "recipient": recipient, "level": alert.level, "sent_at": now}
            for alert in alerts
        ]
        self._connection.execute(insert(self._table), rows)
        self._connection.commit()
