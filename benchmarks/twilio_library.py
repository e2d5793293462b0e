"""Reads the same records with Twilio's own Python library.

`-m benchmarks.twilio_library URL FIRST_DAY LAST_DAY` prints the number of records.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date
from typing import Any

from twilio.rest import Client


def records(url: str, first: str, last: str) -> Iterator[Any]:
    """Yield the daily usage records of each account separately."""
    client = Client()  # with TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN
    client.api.base_url = url
    for account in client.api.v2010.accounts.stream(page_size=1000):
        yield from client.api.v2010.accounts(account.sid).usage.records.daily.stream(
            start_date=date.fromisoformat(first),
            end_date=date.fromisoformat(last),
            include_subaccounts=False,
            page_size=1000,
        )


if __name__ == "__main__":
    sys.stdout.write(f"{sum(1 for _ in records(*sys.argv[1:]))}\n")
