"""Small Twilio responses for tests: records, pages, an account."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from tests.http_server import Answer, Request

SID = "AC" + "0" * 31 + "7"
TOKEN = "canary+auth/token=5d2f&%7E"

Prices = Mapping[str, str | None]
Days = Mapping[str, Prices]


def record(
    category: str, price: str | None, day: str = "2026-01-01", **fields: Any
) -> dict[str, Any]:
    return {
        "account_sid": SID,
        "api_version": "2010-04-01",
        "as_of": "2026-02-01T00:00:00+00:00",
        "category": category,
        "count": None if category == "totalprice" else price,
        "count_unit": "",
        "description": category.title(),
        "end_date": day,
        "price": price,
        "price_unit": "usd",
        "start_date": day,
        "usage": price,
        "usage_unit": "units",
        "uri": "/somewhere",
        "subresource_uris": {},
        **fields,
    }


def page(records: list[Any], next_page_uri: str | None = None) -> dict[str, Any]:
    return {"usage_records": records, "next_page_uri": next_page_uri, "page": 0, "page_size": 1000}


LISTS: dict[str, dict[str, Any]] = {
    "Balance": {"account_sid": SID, "balance": "12.5", "currency": "USD"},
    "Accounts": {"accounts": [{"sid": SID, "auth_token": TOKEN}], "next_page_uri": None},
    "Triggers": {"usage_triggers": [{"account_sid": SID, "sid": "UT1"}], "next_page_uri": None},
}


PERIODS = {"Monthly": 7, "Yearly": 4}  # the characters of a date that name its period


def _of(prices: Prices, query: Mapping[str, str]) -> Prices:
    """Return the prices of the category that is asked for, or of all."""
    named = query.get("Category")
    return {category: price for category, price in prices.items() if named in {None, category}}


def _summed(days: Days, length: int, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield a record for each category and period that has days in the range."""
    sums: dict[tuple[str, str], Decimal] = {}
    for day, prices in days.items():
        if query["StartDate"] <= day <= query["EndDate"]:
            for category, price in _of(prices, query).items():
                key = f"{day[:length]}-01-01"[:10], category
                sums[key] = sums.get(key, Decimal(0)) + Decimal(price or 0)
    for (start, category), total in sums.items():
        yield record(category, f"{total}", start)


def account(
    days: Days,
    *,
    created: str | None = "Thu, 01 Jan 2026 00:00:00 +0000",
    all_time: Prices | None = None,
) -> Callable[[Request], Answer]:
    """Return the answers of an account with these prices; it is unreadable without `created`."""
    ever = used_in(days) if all_time is None else all_time

    def answer(request: Request) -> Answer:
        kind = request.path.rpartition("/")[2].removesuffix(".json")
        if kind == SID and created is None:
            return Answer.error(401, 20003, "Authenticate")
        if kind == SID:
            return Answer.json({"sid": SID, "auth_token": TOKEN, "date_created": created})
        if kind in LISTS:
            return Answer.json(LISTS[kind])
        if kind in PERIODS and "StartDate" in request.query:
            return Answer.json(page([*_summed(days, PERIODS[kind], request.query)]))
        if kind != "Daily":
            start = request.query.get("StartDate", "2026-01-01")
            return Answer.json(page([record(c, p, start) for c, p in ever.items()]))
        asked = between(request.query["StartDate"], request.query["EndDate"])
        rows = [
            record(category, days.get(day, {}).get(category, "0"), day)
            for day in reversed(asked)
            for category in _of(days.get(day, ever), request.query)
        ]
        return Answer.json(page(rows))

    return answer


def used_in(days: Days) -> Prices:
    """Return a price for each category; it is not zero if the category has a price on any day."""
    used: dict[str, str | None] = {}
    for prices in days.values():
        for category, price in prices.items():
            used[category] = price if float(price or 0) else used.get(category, "0")
    return used


def between(start: str, end: str) -> list[str]:
    first, last = date.fromisoformat(start), date.fromisoformat(end)
    return [f"{first + timedelta(days=n)}" for n in range((last - first).days + 1)]
