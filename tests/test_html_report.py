"""The HTML report: its figures, both kinds of warehouse, one-line errors, and a real browser."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tap_twilio_usage.report.__main__ import main
from tap_twilio_usage.report.charts import Legend, drawn
from tap_twilio_usage.report.figures import Changed, Charge, Month, Section, summed
from tap_twilio_usage.report.page import rendered
from tap_twilio_usage.report.wording import money, month, share
from tests.conftest import clean_environment, nightly, text_of

MAIN = "AC" + "1" * 32
SERVICES = ("SMS & MMS", "Voice", "Lookup", "Video", "Verify", "Sync", "Studio", "RCS", "Flex")
HOSTILE = "sms-</script><script>alert(1)</script>"


def charge(  # noqa: PLR0913
    day: date | str,
    category: str,
    price: str,
    deduplicated: str | None = None,
    *,
    service: str = "Voice",
    unit: str = "USD",
    account: str = MAIN,
    rolled_up: bool | None = True,
) -> Charge:
    day = date.fromisoformat(day) if isinstance(day, str) else day
    counted = Decimal(price if deduplicated is None else deduplicated)
    service = "Unattributed" if category == "totalprice" else service
    return Charge(account, rolled_up, unit, day, category, service, Decimal(price), counted)


def a_day(day: date | str, *prices: str, **more: Any) -> list[Charge]:
    """Return a day that reconciles: a category for each service, their roll-up, and a remainder."""
    whole = sum(map(Decimal, prices))
    return [
        *(
            charge(day, f"{name.lower()}-outbound", price, service=name, **more)
            for name, price in zip(SERVICES, prices, strict=False)
        ),
        charge(day, "a-rollup", f"{whole}", "0", **more),
        charge(day, "totalprice", f"{whole + Decimal('0.000001')}", "0.000001", **more),
    ]


def days(first: str, last: str) -> list[date]:
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    return [start + timedelta(days=n) for n in range((end - start).days + 1)]


def only(charges: list[Charge]) -> Section:
    (section,) = summed(charges)
    return section


ROWS = [
    charge("2026-01-31", "calls", "3.1", "1.1"),
    charge("2026-01-31", "calls-inbound", "2"),
    charge("2026-01-31", "totalprice", "3.6", "0.5"),
    charge("2026-02-01", "sms", "0.1", service="SMS & MMS"),
    charge("2026-02-01", "totalprice", "0.1", "0"),
]


def test_the_report_sums_days_months_services_and_categories() -> None:
    section = only(ROWS)
    assert [day.first for day in section.days] == days("2026-01-31", "2026-02-01")
    assert [(m.naive, m.deduplicated, m.total, m.remainder) for m in section.months] == [
        (Decimal("5.1"), Decimal("3.6"), Decimal("3.6"), Decimal("0.5")),
        (Decimal("0.1"), Decimal("0.1"), Decimal("0.1"), Decimal(0)),
    ]
    assert section.services == [
        ("Voice", Decimal("3.1")),
        ("Unattributed", Decimal("0.5")),
        ("SMS & MMS", Decimal("0.1")),
    ]
    assert section.categories == [
        (("calls-inbound", "Voice"), Decimal(2)),
        (("calls", "Voice"), Decimal("1.1")),
        (("sms", "SMS & MMS"), Decimal("0.1")),
    ]
    assert not section.wrong


def own_month(  # noqa: PLR0913
    first: str,
    days_expected: int,
    total: str | None,
    *,
    account: str = MAIN,
    rolled_up: bool | None = True,
    unit: str = "USD",
    as_of: str | None = None,
) -> Month:
    price = None if total is None else Decimal(total)
    day = date.fromisoformat(as_of) if as_of else None
    return Month(account, rolled_up, unit, date.fromisoformat(first), days_expected, price, day)


def dollars(first: str, last: str, *accounts: str, without: str = "") -> list[Charge]:
    """Return a dollar for each day and account; `without` is a month, or a day."""
    return [
        charge(day, "totalprice", "1", account=account)
        for day in days(first, last)
        if not (without and f"{day}".startswith(without))
        for account in accounts or (MAIN,)
    ]


QUARTER = [
    own_month("2026-01-01", 31, "31"),
    own_month("2026-02-01", 28, "28"),
    own_month("2026-03-01", 6, "6", as_of="2026-03-06"),
]


def gaps_of(section: Section) -> list[tuple[str, str, str]]:
    return [(gap.account, f"{gap.first}", f"{gap.last}") for gap in section.gaps]


def test_months_are_proved_by_twilios_own_months() -> None:
    months = [
        *QUARTER,
        own_month("2026-02-01", 28, "99", rolled_up=False),
        own_month("2026-02-01", 28, "0", account="AC2"),  # an account without any cost
    ]
    # Loaded from the fifth day on, and too early for the last one.
    rows = dollars("2026-01-05", "2026-03-05", without="2026-02-10")
    (section,) = summed(rows, months)
    assert [(p.days_missing, p.total, p.status, p.is_wrong) for p in section.proofs] == [
        (0, Decimal(31), "partly loaded", False),
        (1, Decimal(28), "days missing", True),
        (0, Decimal(6), "not over", False),
    ]
    assert gaps_of(section) == [(MAIN, "2026-02-10", "2026-02-10")]
    text = text_of(rendered([section]))
    assert "Feb 2026 days missing 28.00 27.00 1" in text
    assert "1 day is missing, see below." in text
    assert "Days that reconcile 59 of 60 the other days are listed below" in text
    assert f"10 February 2026 1 {MAIN}" in text
    assert "Every loaded day reconciles" in text
    assert "for gaps only" not in text


@pytest.mark.parametrize(
    ("month", "first", "last"),
    [
        ("2026-01", "2026-01-01", "2026-01-31"),
        ("2026-02", "2026-02-01", "2026-02-28"),
        ("2026-03", "2026-03-01", "2026-03-06"),
    ],
)
def test_a_month_without_any_loaded_day_is_missing(month: str, first: str, last: str) -> None:
    (section,) = summed(dollars("2026-01-01", "2026-03-06", without=month), QUARTER)
    assert gaps_of(section) == [(MAIN, first, last)]
    missing = len(days(first, last))
    assert (section.reconciled_days, section.days_to_reconcile) == (65 - missing, 65)
    (wrong,) = (proof for proof in section.proofs if proof.is_wrong)
    assert (f"{wrong.month.first}", wrong.days_missing) == (first, missing)
    assert (wrong.status, wrong.month.deduplicated) == ("days missing", Decimal(0))


def test_days_before_the_one_that_was_asked_for_are_not_missing() -> None:
    rows, since = dollars("2026-02-01", "2026-03-06"), date(2026, 1, 15)
    (section,) = summed(rows, QUARTER, since)
    assert gaps_of(section) == [(MAIN, "2026-01-15", "2026-01-31")]


def test_a_day_of_an_open_month_is_missing_if_a_later_one_is_loaded() -> None:
    (section,) = summed(dollars("2026-01-01", "2026-03-06", without="2026-03-02"), QUARTER)
    assert gaps_of(section) == [(MAIN, "2026-03-02", "2026-03-02")]
    closed = [*QUARTER[:2], QUARTER[2]._replace(days_expected=31, as_of=date(2026, 4, 1))]
    (section,) = summed(dollars("2026-01-01", "2026-03-30"), closed)
    assert gaps_of(section) == [(MAIN, "2026-03-31", "2026-03-31")]


def test_a_day_or_month_that_one_account_lacks_is_missing() -> None:
    months = [each._replace(account=account) for each in QUARTER for account in ("AC1", "AC2")]
    rows = [
        row
        for row in dollars("2026-01-01", "2026-03-06", "AC1", "AC2", without="2026-02-20")
        if row.account == "AC1"
        or not (row.day == date(2026, 2, 10) or row.day.month == 1 or row.day > date(2026, 3, 4))
    ]
    (section,) = summed(rows, months)
    assert gaps_of(section) == [
        ("every account", "2026-02-20", "2026-02-20"),
        ("AC2", "2026-01-01", "2026-01-31"),
        ("AC2", "2026-03-05", "2026-03-06"),
        ("AC2", "2026-02-10", "2026-02-10"),
    ]
    assert (section.reconciled_days, section.days_to_reconcile) == (65 - 35, 65)


def test_an_account_of_which_no_day_is_loaded_is_missing() -> None:
    months = [
        *QUARTER,
        own_month("2026-01-01", 31, "5", account="AC3"),
        own_month("2026-02-01", 28, "0", account="AC3"),
        own_month("2026-02-01", 9, "5", account="AC4", unit="EUR"),  # created on the 20th
        own_month("2026-03-01", 6, "1", account="AC4", unit="EUR", as_of="2026-03-06"),
        own_month("2026-02-01", 28, "5", unit="EUR"),  # from before a change
    ]
    (section,) = summed(dollars("2026-01-05", "2026-03-06"), months)
    assert [proof.status for proof in section.proofs] == ["days missing", "reconciled", "not over"]
    assert section.late == []
    assert gaps_of(section) == [
        ("AC3", "2026-01-05", "2026-01-31"),
        ("AC4 (EUR)", "2026-02-20", "2026-03-06"),
    ]


def test_the_ten_worst_ranges_and_accounts_are_listed() -> None:
    accounts = [f"AC{n:02}" for n in range(1, 13)]
    rows = [
        row
        for n, account in enumerate(accounts, 1)
        for row in dollars("2026-01-01", "2026-02-28", account)
        if not (n > 1 and (date(2026, 2, 2) <= row.day < date(2026, 2, 2 + n) or row.day.day < n))
        or (row.day.month == 2 and row.day.day == 1)
    ]
    months = [month._replace(account=each) for month in QUARTER[:2] for each in accounts]
    (section,) = summed(rows, months)
    text = text_of(rendered([section]))
    assert "2 to 13 February 2026 12 AC12 2 to 12 February 2026 11 AC11" in text
    assert "2 to 4 February 2026 3 AC03 and 1 shorter range of days" in text
    assert "earlier days: AC12 (from 12 January 2026 on), AC11 (from 11 January 2026 on)" in text
    assert "AC03 (from 3 January 2026 on), and 1 more account." in text


def test_months_are_those_of_all_accounts() -> None:
    rows = dollars("2026-01-01", "2026-02-01", MAIN, "AC2")
    months = [own_month("2026-01-01", 31, "30"), own_month("2026-01-01", 31, "32", account="AC2")]
    (section,) = summed(rows, months)
    # Accounts do not cancel out.
    assert [(p.days_missing, p.total, p.status, p.is_wrong) for p in section.proofs] == [
        (0, Decimal(62), "different", True),
        (0, None, "not compared", False),
    ]
    (section,) = summed(rows, [months[0], months[1]._replace(total=None)])
    assert section.proofs[0].status == "different"
    (section,) = summed(rows, [own_month("2026-01-01", 31, None)])
    assert section.proofs[0].status == "Twilio has no total"


def test_the_last_month_may_differ_though_every_day_is_loaded() -> None:
    """Twilio may have restated it between the two requests."""
    rows = [charge(day, "totalprice", "1") for day in days("2026-01-01", "2026-02-05")]
    months = [
        own_month("2026-01-01", 31, "31"),
        own_month("2026-02-01", 5, "5.5", as_of="2026-02-05"),
    ]
    (section,) = summed(rows, months)
    assert [proof.is_wrong for proof in section.proofs] == [False, False]


def test_a_change_of_currency_leaves_no_day_missing() -> None:
    euros = [row._replace(unit="EUR") for row in dollars("2026-01-11", "2026-01-31")]
    months = [own_month("2026-01-01", 31, "10"), own_month("2026-01-01", 31, "21", unit="EUR")]
    for section in summed([*dollars("2026-01-01", "2026-01-10"), *euros], months):
        assert gaps_of(section) == []
        assert [proof.status for proof in section.proofs] == ["reconciled"]


def test_without_twilios_own_months_only_gaps_are_found() -> None:
    rows = dollars("2026-01-01", "2026-01-10", MAIN, "AC2")
    (section,) = summed([row for row in rows if row.account == MAIN or row.day.day not in (5, 10)])
    assert section.proofs == []
    assert gaps_of(section) == [("AC2", "2026-01-05", "2026-01-05")]
    text = text_of(rendered([section]))
    assert "no usage_reconciliation of these accounts, so days are checked for gaps only" in text
    assert "Missing days" not in text


def test_the_report_lists_the_ten_largest_categories() -> None:
    rows = [charge("2026-01-01", f"c{n:02}", f"{n}") for n in range(1, 13)]
    assert [name for (name, _), _ in only(rows).categories] == [
        f"c{n:02}" for n in range(12, 2, -1)
    ]


def test_currencies_and_kinds_of_accounts_are_never_summed_together() -> None:
    sections = summed(
        [
            *a_day("2026-01-01", "9"),
            *a_day("2026-01-01", "7", unit="EUR"),
            *a_day("2026-01-01", "5", account="AC2", rolled_up=False),
        ]
    )
    assert [(s.unit, s.rolled_up, s.whole.total) for s in sections] == [
        ("USD", True, Decimal("9.000001")),
        ("EUR", True, Decimal("7.000001")),
        ("USD", False, Decimal("5.000001")),
    ]
    text = text_of(rendered(sections))
    assert (
        "3 parts, one for each currency and for accounts with or without subaccounts; they are not "
        in text
    )
    assert "21.000003" not in text


def test_summed_accounts_are_listed() -> None:
    rows = [
        *a_day("2026-01-01", "9", account="AC1", rolled_up=False),
        *a_day("2026-01-01", "5", account="AC2", rolled_up=False),
    ]
    text = text_of(rendered(summed(rows)))
    assert "the sum of 2 accounts, each excluding its subaccounts" in text
    assert "AC1 9.000001 64.3% AC2 5.000001 35.7%" in text


def test_an_account_with_only_zero_rows_after_a_change_of_subaccounts_is_not_listed() -> None:
    rows = [
        *a_day("2026-01-01", "9"),
        charge("2026-01-01", "totalprice", "0", account="AC2", rolled_up=False),
        charge("2026-01-01", "totalprice", "0", account="AC3"),
    ]
    assert only(rows).accounts == [(MAIN, Decimal("9.000001"))]


def test_a_day_without_spend_is_counted() -> None:
    section = only([*a_day("2026-01-01", "9"), charge("2026-01-02", "totalprice", "0")])
    assert len(section.days) == 2


def test_days_that_do_not_reconcile_are_listed_even_if_accounts_cancel_out() -> None:
    rows = [
        *a_day("2026-01-01", "9", account="AC1"),
        *a_day("2026-01-01", "9", account="AC2"),
        charge("2026-01-01", "late", "1", account="AC1"),
        charge("2026-01-01", "late", "-1", account="AC2"),
        charge("2026-01-02", "calls", "4"),
    ]
    section = only(rows)
    assert section.days[0].deduplicated == section.days[0].total
    assert [(w.day.day, w.account, w.total) for w in section.wrong] == [
        (1, "AC1", Decimal("9.000001")),
        (1, "AC2", Decimal("9.000001")),
        (2, MAIN, None),
    ]
    text = text_of(rendered([section]))
    assert "Days that reconcile 0 of 2" in text
    assert f"2026-01-02 {MAIN} 4.000000 missing" in text
    assert "Every loaded day reconciles" not in text
    assert "Not every loaded day reconciles" in text


@pytest.mark.parametrize(
    ("last", "after", "before"),
    [
        ("2026-03-21", ("2026-03-01", "2026-03-21"), ("2026-02-01", "2026-02-21")),
        ("2026-02-28", ("2026-02-01", "2026-02-28"), ("2026-01-01", "2026-01-31")),
        ("2026-03-30", ("2026-03-01", "2026-03-30"), ("2026-02-01", "2026-02-28")),
    ],
)
def test_a_month_is_compared_with_the_same_days_of_the_previous_month(
    last: str, after: tuple[str, str], before: tuple[str, str]
) -> None:
    rows = [row for day in days("2026-01-01", last) for row in a_day(day, "1")]
    change = only(rows).change
    assert change is not None
    assert (change.after, change.before) == tuple(
        tuple(map(date.fromisoformat, span)) for span in (after, before)
    )
    voice = next(each for each in change.services if each.service == SERVICES[0])
    assert voice.after == len(days(*after))
    assert voice.before == len(days(*before))


@pytest.mark.parametrize("missing", ["2026-01-01", "2026-01-20", "2026-02-05"])
def test_a_month_is_not_compared_if_a_day_is_missing(missing: str) -> None:
    loaded = [day for day in days("2026-01-01", "2026-02-20") if f"{day}" != missing]
    rows = [row for day in loaded for row in a_day(day, "1")]
    assert only(rows).change is None
    assert "Some of the same days of the month before are not loaded" in rendered(summed(rows))


def test_missing_days_in_the_range_are_counted() -> None:
    rows = [row for day in ("2026-01-01", "2026-01-05") for row in a_day(day, "1")]
    text = text_of(rendered(summed(rows)))
    assert "3 days are missing, see below." in text
    assert f"2 to 4 January 2026 3 {MAIN}" in text
    assert "missing" not in text_of(rendered(summed(rows[:3]))).replace("can be missing", "")


def test_services_after_the_ten_largest_changes_are_summed_in_one_row() -> None:
    rows = [
        charge(day, f"c{n}", f"{n * day.month}", service=f"Service {n}")
        for day in (date(2026, 1, 1), date(2026, 2, 1))
        for n in range(1, 13)
    ]
    change = only(rows).change
    assert change is not None
    assert [each.service for each in change.largest] == [f"Service {n}" for n in range(12, 2, -1)]
    assert change.others == Changed("2 other services", Decimal(3), Decimal(6))
    assert change.sum == Changed("All services", Decimal(78), Decimal(156))
    text = text_of(rendered(summed(rows)))
    assert "Service Change 1 Jan 2026 1 Feb 2026 Service 12 +12.00 12.00 24.00 " in text
    assert "2 other services +3.00 3.00 6.00 All services +78.00 78.00 156.00" in text


AMOUNTS = st.decimals(-1000, 1000, places=9)


@given(st.lists(st.tuples(st.integers(1, 12), AMOUNTS), min_size=1, max_size=30))
def test_the_bars_of_a_day_add_up_to_its_sum(spent: list[tuple[int, Decimal]]) -> None:
    rows = [charge("2026-01-01", f"c{n}", f"{a:f}", service=f"S{n}") for n, a in spent]
    for section in summed(rows):
        amounts = Legend.of(section).amounts(section.days[0])
        assert sum(amount for _, amount in amounts) == sum(amount for _, amount in spent)
        assert [name for name, _ in amounts] == [name for name, _ in Legend.of(section).entries]


def test_amounts_are_exact_and_small_shares_are_not_shown_as_zero() -> None:
    assert money(Decimal("1234567.1")) == "1,234,567.10"
    assert money(Decimal("0.123456789012345678")) == "0.123456789012345678"
    assert money(Decimal("0.1"), signed=True) == "+0.10"
    assert money(Decimal("-0.1"), signed=True) == "-0.10"
    assert share(Decimal(1), Decimal(3)) == "33.3%"
    assert share(Decimal(1), Decimal(7000)) == "0.01%"
    assert share(Decimal(1), Decimal(70000)) == "under 0.01%"
    assert share(Decimal(0), Decimal(3)) == "0.00%"
    assert share(Decimal(1), Decimal(0)) == ""


def test_an_incomplete_month_is_shown_with_its_days() -> None:
    assert month(date(2026, 2, 1), date(2026, 2, 28)) == "Feb 2026"
    assert month(date(2026, 2, 1), date(2026, 2, 27)) == "1\N{EN DASH}27 Feb 2026"
    assert month(date(2026, 2, 3), date(2026, 2, 28)) == "3\N{EN DASH}28 Feb 2026"
    assert month(date(2026, 2, 1), date(2026, 2, 1)) == "1 Feb 2026"


COLUMNS = (
    "account_sid {text}, includes_subaccounts boolean, price_unit {text}, start_date {date}, "
    "category {text}, service {text}, price {number}, deduplicated_price {number}"
)
IN_POSTGRES = COLUMNS.format(text="text", date="date", number="numeric")
IN_DUCKDB = COLUMNS.format(text="varchar", date="varchar", number="double")


def as_stored(row: Charge) -> tuple[Any, ...]:
    return (row.account, row.rolled_up, row.unit.lower(), f"{row.day}", *row[4:])


MONTHS = (
    "CREATE TABLE {schema}.usage_reconciliation AS SELECT '{sid}' AS account_sid, "
    "true AS includes_subaccounts, 'usd' AS price_unit, {start} AS start_date, "
    "28 AS days_expected, {total} AS monthly_total, {as_of} AS as_of"
)
IN_FEBRUARY = "2026-02-01"
AS_OF = "2026-02-28T23:30:00+00:00"
FEBRUARYS_TOTAL = "1234567.523457"


def duckdb_of(
    rows: list[Charge], path: Path, schema: str = "main", *, with_months: bool = False
) -> str:
    """Return the URL of a file as target-duckdb writes it: DOUBLEs, and dates as text."""
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        table = f"{schema}.usage_records_daily"
        connection.execute(f"CREATE TABLE {table} ({IN_DUCKDB})")
        for row in rows:
            *names, price, counted = as_stored(row)
            values = [*names, *(None if each is None else float(each) for each in (price, counted))]
            connection.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
        if with_months:
            start, total = f"'{IN_FEBRUARY}'", f"CAST({FEBRUARYS_TOTAL} AS DOUBLE)"
            more = {"start": start, "total": total, "as_of": f"'{AS_OF}'"}
            connection.execute(MONTHS.format(schema=schema, sid=MAIN, **more))
    return f"duckdb:///{path}"


def postgres_of(rows: list[Charge], uri: str, *, with_months: bool = False) -> str:
    with psycopg.connect(uri) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA tap_twilio_usage")
        cursor.execute(f"CREATE TABLE tap_twilio_usage.usage_records_daily ({IN_POSTGRES})")
        cursor.executemany(
            "INSERT INTO tap_twilio_usage.usage_records_daily VALUES "
            "(%s, %s, %s, %s, %s, %s, %s, %s)",
            [as_stored(row) for row in rows],
        )
        if with_months:
            start, schema = f"DATE '{IN_FEBRUARY}'", "tap_twilio_usage"
            more = {"start": start, "total": FEBRUARYS_TOTAL, "as_of": f"TIMESTAMPTZ '{AS_OF}'"}
            cursor.execute(MONTHS.format(schema=schema, sid=MAIN, **more))
    return uri


def written(url: str, folder: Path, *options: str) -> str:
    main(["--url", url, "--output", str(folder / "report.html"), *options])
    return (folder / "report.html").read_text()


def test_postgresql_and_duckdb_give_the_same_page_to_the_last_digit(
    database: str, tmp_path: Path
) -> None:
    rows = [*ROWS, *a_day("2026-02-02", "0.1", "0.2", "1234567.123456")]
    page = written(postgres_of(rows, database, with_months=True), tmp_path)
    assert "Deduplicated spend 1,234,571.123457 USD" in text_of(page)
    assert "1\N{EN DASH}2 Feb 2026 days missing 1,234,567.523457 1,234,567.523457 26" in text_of(
        page
    )
    file = duckdb_of(rows, tmp_path / "w.duckdb", "tap_twilio_usage", with_months=True)
    assert page == written(file, tmp_path)


def test_postgresql_amounts_keep_all_of_their_digits(database: str, tmp_path: Path) -> None:
    price = "12345678901234567890.123456789012345678"
    rows = [charge("2026-01-01", "calls", price), charge("2026-01-01", "totalprice", price, "0")]
    page = written(postgres_of(rows, database), tmp_path)
    assert f"spend {Decimal(price):,f} USD" in text_of(page)
    assert "1 of 1" in text_of(page)


def test_the_report_begins_six_months_back_or_on_the_given_day(tmp_path: Path) -> None:
    rows = [row for day in ("2025-12-31", "2026-01-01", "2026-07-05") for row in a_day(day, "1")]
    url = duckdb_of(rows, tmp_path / "w.duckdb")
    assert "1 January 2026 to 5 July 2026" in text_of(written(url, tmp_path))
    asked = written(url, tmp_path, "--since", "2025-12-01")
    assert "31 December 2025 to 5 July 2026" in text_of(asked)


def test_the_schema_is_that_of_the_target_or_the_default_or_the_given_one(tmp_path: Path) -> None:
    url = duckdb_of(a_day("2026-01-01", "1"), tmp_path / "w.duckdb")
    assert " 1.000001 " in text_of(written(url, tmp_path))
    duckdb_of(a_day("2026-01-01", "2"), tmp_path / "w.duckdb", "tap_twilio_usage")
    assert " 2.000001 " in text_of(written(url, tmp_path))
    assert " 1.000001 " in text_of(written(url, tmp_path, "--schema", "main"))


def test_rows_of_any_spelling_and_without_a_price_are_read(tmp_path: Path) -> None:
    calls = charge("2026-01-01", "calls", "2")
    rows = [
        calls,
        calls._replace(category="new", price=None, deduplicated=Decimal(0)),
        charge("2026-01-01", " TotalPrice ", "2", "0"),
        charge("2026-01-02", " TotalPrice ", "0"),
    ]
    page = written(duckdb_of(rows, tmp_path / "w.duckdb"), tmp_path)
    assert "Deduplicated spend 2.00 USD" in text_of(page)
    assert "2 of 2" in text_of(page)


def run(*arguments: str, code: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    program = f"import sys; {code}from tap_twilio_usage.report.__main__ import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**clean_environment(), **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def failure(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the one line that the command prints when it fails."""
    with pytest.raises(SystemExit) as exited:
        main(arguments)
    said = str(exited.value.code)
    assert capsys.readouterr() == ("", "")
    assert "\n" not in said
    return said


PASSWORD = "s3cret"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (f"postgresql://me:{PASSWORD}@127.0.0.1:1/db", "Connection refused"),
        (f"postgresql://127.0.0.1:1/db?user=me&password={PASSWORD}", "Connection refused"),
        (f"postgresql://me:{PASSWORD}@127.0.0.1:1/db?{PASSWORD}=1", "invalid connection option"),
        (f"postgresql://me:{PASSWORD}@host:port/db", "the URL is not valid"),
        (f"postgresql://me:x@{PASSWORD}@host/db", "write an @ in the password as %40"),
        (f"oracle://me:{PASSWORD}@host/db", " is not installed; pip install its package"),
        (f"nothing://me:{PASSWORD}@host/db", "no SQLAlchemy dialect nothing is installed"),
        ("no-url", "the URL is not valid"),
        ("sqlite://", "no table usage_records_daily in schema tap_twilio_usage or in the"),
    ],
)
def test_a_wrong_url_ends_in_one_line_without_its_password(
    url: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = failure(capsys, "--url", url)
    assert said.startswith("report: ")
    assert why in said
    assert PASSWORD not in said


def test_a_missing_file_ends_in_one_line_and_is_not_created(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "does not exist" in failure(capsys, "--url", f"duckdb:///{tmp_path}/no.duckdb")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("password", ["pa%zzword", "secret%", "%2secret"])
def test_a_percent_sign_in_the_password_is_explained(
    password: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = failure(capsys, "--url", f"postgresql://me:{password}@127.0.0.1:1/db")
    assert said.endswith("write a % in the password as %25")
    assert password not in said
    right = password.replace("%", "%25")
    said = failure(capsys, "--url", f"postgresql://me:{right}@127.0.0.1:1/db")
    assert "Connection refused" in said
    assert password not in said
    assert right not in said


def test_a_day_that_is_not_valid_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--since", "2026-02-30"])
    expected = "argument --since: '2026-02-30' is not a valid date; use YYYY-MM-DD"
    assert capsys.readouterr().err.splitlines()[-1].endswith(expected)


def test_a_file_that_cannot_be_written_ends_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = duckdb_of(ROWS, tmp_path / "w.duckdb")
    said = failure(capsys, "--url", url, "--output", str(tmp_path / "no" / "report.html"))
    assert said.endswith("report.html cannot be written: No such file or directory")


def test_the_url_can_come_from_the_environment(tmp_path: Path) -> None:
    url = duckdb_of(ROWS, tmp_path / "w.duckdb")
    output = tmp_path / "report.html"
    done = run("--output", str(output), TAP_TWILIO_USAGE_REPORT_URL=url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"report: written to {output}; open it in a browser\n"
    none = run()
    assert none.returncode == 1
    assert none.stderr == (
        "report: no warehouse is given; use --url, or set TAP_TWILIO_USAGE_REPORT_URL\n"
    )


@pytest.mark.parametrize("package", ["altair", "duckdb_engine", "jinja2", "sqlalchemy"])
def test_without_the_extra_one_line_says_how_to_install_it(package: str, tmp_path: Path) -> None:
    url = duckdb_of(ROWS, tmp_path / "w.duckdb")
    done = run("--url", url, code=f"sys.modules['{package}'] = None; ")
    assert done.returncode == 1
    wanted = "pip install 'tap-twilio-usage[report]'"
    assert done.stderr == f"report: {package} is not installed; {wanted}\n"


def test_the_tap_does_not_need_the_report() -> None:
    code = "import sys, tap_twilio_usage.tap; print([m for m in sys.modules if 'report' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "tap_twilio_usage.report" not in done.stdout


def demonstration() -> list[Section]:
    """Return three months in two currencies with a hostile name, a credit and a wrong day.

    Twilio has a month of an account that is not loaded.
    """
    rows = [
        row
        for day in days("2026-01-01", "2026-03-21")
        for row in a_day(day, *(f"{n * day.day + day.month}.123456" for n in range(1, 10)))
    ]
    rows += [charge(day, HOSTILE, "900", "0") for day in days("2026-01-01", "2026-03-21")]
    rows += a_day("2026-03-21", "-7", "3", unit="EUR")
    rows.append(charge("2026-03-21", HOSTILE, "900.5"))
    return summed(rows, [own_month("2026-01-01", 31, "1", account="AC" + "2" * 32)])


def test_names_from_the_warehouse_are_escaped() -> None:
    page = rendered(demonstration())
    assert "<script>alert" not in page
    assert HOSTILE in text_of(page)


def test_every_chart_has_a_table_of_its_numbers_and_every_table_has_a_name() -> None:
    page = rendered(demonstration())
    figures = re.findall(r"<figure.*?</figure>", page, re.DOTALL)
    charts = [figure for figure in figures if 'class="chart"' in figure]
    assert len(charts) == sum(len(drawn(s, Legend.of(s))) for s in demonstration())
    assert all("<table>" in figure and "aria-label" in figure for figure in charts)
    assert all('scope="row"' in figure for figure in charts)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return the system's Chromium; its tests may be skipped only outside CI."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None and "CI" not in os.environ:
        pytest.skip("no chromium here")
    assert chromium, "no chromium: CI has to install it"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(rendered(demonstration()))
    return path


def opened(browser: Browser, file: Path, **options: Any) -> tuple[Page, list[str]]:
    """Open the page without a network; return it with its console messages and requests."""
    context = browser.new_context(offline=True, **options)
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: said.append(request.url))
    page.goto(file.as_uri())
    expect(page.locator(".chart svg")).to_have_count(page.locator(".chart").count())
    return page, said


COLOURS = """() => {
  const solid = colour => !/rgba\\(.*, 0\\)|transparent/.test(colour);
  const found = new Set();
  for (const details of document.querySelectorAll("details")) details.open = true;
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!own || /SCRIPT|STYLE/.test(element.tagName)) continue;
    const style = getComputedStyle(element);
    let behind = element;
    while (!solid(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
    const ink = element instanceof SVGElement ? style.fill : style.color;
    found.add(JSON.stringify([ink, getComputedStyle(behind).backgroundColor]));
  }
  return [...found].map(JSON.parse);
}"""
WIDER = """() => [...document.querySelectorAll("body *")].filter(e =>
  !e.closest(".scroll") && e.getBoundingClientRect().right > innerWidth + 1
).map(e => e.outerHTML)"""


def linear(channels: list[float]) -> list[float]:
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]


def luminance(colour: str) -> float:
    light = linear([int(part) / 255 for part in re.findall(r"\d+", colour)[:3]])
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), light, strict=True))


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


# Simulated colour vision (Machado, Oliveira and Fernandes 2009), on linear red, green and blue.
SIGHTS = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no red": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "no green": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "no blue": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def seen(colour: str, sight: str) -> tuple[float, float, float]:
    """Return a colour in CIELAB, where distances match perceived differences."""
    light = linear([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    r, g, b = (
        min(1.0, max(0.0, sum(w * c for w, c in zip(row, light, strict=True))))
        for row in SIGHTS[sight]
    )
    x = (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    z = (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("sight", SIGHTS)
def test_service_colours_are_distinguishable_with_any_colour_vision(sight: str) -> None:
    light, dark = rendered(demonstration()).split("(prefers-color-scheme: dark)")
    for style in (light, dark.split("</style>")[0]):
        colours = re.findall(r"--s\d: (#\w{6})", style)
        assert len(colours) == len(Legend.of(demonstration()[0]).entries) == 7
        near = [
            (one, other)
            for one, other in itertools.combinations(colours, 2)
            if math.dist(seen(one, sight), seen(other, sight)) < 12
        ]
        assert not near


@pytest.mark.parametrize(
    ("width", "scheme"),
    [(1280, "light"), (400, "dark"), nightly(1280, "dark"), nightly(400, "light")],
)
def test_a_browser_renders_the_page_readably_without_network_or_overflow(
    browser: Browser, file: Path, width: int, scheme: Any
) -> None:
    page, said = opened(
        browser, file, viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    assert said == [file.as_uri()]
    for chart in page.locator(".chart").all():
        assert chart.locator(".mark-rect path").count() > 0
        box = chart.locator("svg").bounding_box()
        assert box is not None
        assert width / 4 < box["width"] < width
    assert page.evaluate(WIDER) == []
    colours = page.evaluate(COLOURS)
    assert len(colours) > 4
    assert {tuple(pair): ratio for pair in colours if (ratio := contrast(*pair)) < 4.5} == {}
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (luminance(background) < 0.05) == (scheme == "dark")


def test_a_bar_shows_its_exact_amount_and_day_in_any_time_zone(
    browser: Browser, file: Path
) -> None:
    page, _ = opened(browser, file, timezone_id="America/Los_Angeles")
    bar = page.locator("#by-day-0 .mark-rect path").first
    assert ": 01 Jan;" in (bar.get_attribute("aria-label") or "")
    bar.hover()
    tooltip = page.locator("#vg-tooltip-element")
    expect(tooltip).to_be_visible()
    assert re.search(r"2026-01-01.*\d\.123456", " ".join(tooltip.inner_text().split()))


def test_the_charts_contain_exact_amounts_as_text() -> None:
    section = only(ROWS)
    spec = dict(drawn(section, Legend.of(section)))["by-day"]
    (values,) = (json.loads(json.dumps(spec))["data"]["values"],)
    assert {(v["Day"], v["Service"], v["amount"], v["Amount"]) for v in values} == {
        ("2026-01-31", "Voice", 3.1, "3.10"),
        ("2026-01-31", "Unattributed", 0.5, "0.50"),
        ("2026-02-01", "SMS & MMS", 0.1, "0.10"),
    }
