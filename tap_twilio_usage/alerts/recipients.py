"""Who gets the alerts: URLs of Apprise, which are secrets."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress

from tap_twilio_usage.alerts.alert import Alert
from tap_twilio_usage.alerts.sent import recipient_of
from tap_twilio_usage.report.errors import ReportError
from tap_twilio_usage.report.wording import count

AT_ONCE = 10  # alerts in a message: chats accept about 2,000 characters


class Recipient:
    """One URL. `name` says which one without showing it; `id` is its name in the warehouse."""

    def __init__(self, url: str, number: int) -> None:
        """Take the URL and its position. Raises ReportError if Apprise does not know it."""
        from apprise import Apprise, AppriseAsset, PersistentStoreMode  # noqa: PLC0415

        # Apprise logs why it failed, with parts of the URL.
        logging.getLogger("apprise").addHandler(logging.NullHandler())
        logging.getLogger("apprise").propagate = False
        self.name = f"notify URL {number}"
        self._apprise = Apprise(asset=AppriseAsset(storage_mode=PersistentStoreMode.MEMORY))
        if not self._apprise.add(url):
            raise ReportError(
                f"{self.name} is not a URL that Apprise knows; see "
                "https://github.com/caronc/apprise/wiki"
            )
        self.id = recipient_of(url)

    def send(self, alerts: Sequence[Alert]) -> Iterator[Sequence[Alert]]:
        """Send the alerts; yield those that were delivered, once they are."""
        for first in range(0, len(alerts), AT_ONCE):
            part = alerts[first : first + AT_ONCE]
            if self._is_delivered(part):
                yield part

    def _is_delivered(self, alerts: Sequence[Alert]) -> bool:
        from apprise import NotifyFormat, NotifyType  # noqa: PLC0415

        with suppress(Exception):  # whatever it says may contain the URL
            return bool(
                self._apprise.notify(
                    body="\n".join(alert.text for alert in alerts),
                    title=f"Twilio: {count(len(alerts), 'alert')}",
                    notify_type=NotifyType.WARNING,
                    body_format=NotifyFormat.TEXT,
                )
            )
        return False
