"""The floor: reads every page over one connection, parses it with orjson, and does no more.

`-m benchmarks.floor URL FIRST_DAY LAST_DAY` prints the number of records.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import orjson
import requests

ACCOUNTS = "/2010-04-01/Accounts"
Records = list[dict[str, Any]]


def pages(url: str, first: str, last: str) -> Iterator[Records]:
    """Yield the pages of daily usage records of each account separately."""
    days = {"StartDate": first, "EndDate": last, "IncludeSubaccounts": "false"}
    with requests.Session() as session:
        session.auth = (os.environ["TWILIO_ACCOUNT_SID"], os.environ["TWILIO_AUTH_TOKEN"])
        for accounts in _listed(session, url, f"{ACCOUNTS}.json", "accounts", {}):
            for account in accounts:
                path = f"{ACCOUNTS}/{account['sid']}/Usage/Records/Daily.json"
                yield from _listed(session, url, path, "usage_records", days)


def _listed(
    session: requests.Session, url: str, path: str, key: str, asked: dict[str, str]
) -> Iterator[Records]:
    link, params = path, {**asked, "PageSize": "1000"}
    while link:
        response = session.get(url + link, params=params, timeout=60)
        response.raise_for_status()
        page = orjson.loads(response.content)
        yield page[key]
        link, params = page["next_page_uri"], {}


if __name__ == "__main__":
    sys.stdout.write(f"{sum(map(len, pages(*sys.argv[1:])))}\n")
