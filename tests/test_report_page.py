"""What the page says: its first screen, its views, its proof, and the edges."""

from __future__ import annotations

import json
import re
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tap_twilio_usage.report import wording
from tap_twilio_usage.report.figures.sums import Account
from tap_twilio_usage.report.view.names import Names, Palette
from tests.conftest import text_of
from tests.reports import (
    MAIN,
    Row,
    a_day,
    charge,
    days,
    dollars,
    duckdb_of,
    insert,
    own_month,
    written,
)

SHOP = "AC" + "2" * 32
HOSTILE = "sms-</script><script>alert(1)</script>"
NOON = datetime(2026, 3, 21, 12, tzinfo=timezone.utc)
ACCOUNTS = [
    Account(MAIN, "Head Office", "active", date(2025, 1, 1), date(2025, 1, 1)),
    Account(SHOP, "Shop", "active", date(2025, 1, 1), date(2025, 1, 1)),
]
MODELS = {
    "budget_status": (
        "budget_id varchar, scope varchar, scope_value varchar, period varchar, period_start date, "
        "period_end date, currency varchar, amount decimal(38, 12), actual decimal(38, 12), "
        "forecast decimal(38, 12), forecast_low decimal(38, 12), forecast_high decimal(38, 12), "
        "percent_used decimal(38, 2), percent_of_period decimal(38, 2), status varchar"
    ),
    "forecast_by_month": "price_unit varchar, month date, forecast decimal(38, 12)",
    "anomalies": (
        "account_sid varchar, service varchar, category varchar, start_date date, "
        "price_unit varchar, cost decimal(38, 12), expected decimal(38, 6), "
        "excess_cost decimal(38, 6), kind varchar"
    ),
    "allocated_cost": (
        "owner varchar, account_sid varchar, start_date date, service varchar, category varchar, "
        "price_unit varchar, cost decimal(38, 12)"
    ),
    "customer_charges": (
        "customer_id varchar, customer_name varchar, month date, price_unit varchar, "
        "amount decimal(18, 2), cost decimal(38, 12), is_closed boolean"
    ),
    "invoice_reconciliation": (
        "invoice_id varchar, period_start date, period_end date, currency varchar, reason varchar, "
        "invoice_amount decimal(38, 12), usage_amount decimal(38, 12), difference decimal(38, 12)"
    ),
}
BUILT: dict[str, list[tuple[Any, ...]]] = {
    "budget_status": [
        (
            *("everything", "all", None, "month", "2026-03-01", "2026-03-31", "USD"),
            *("2000", "700", "2345.678", "2200", "2500.5", "35", "67.74", "at_risk"),
        ),
        (
            *("shop", "account", SHOP, "month", "2026-03-01", "2026-03-31", "USD"),
            *("10", "50", "60", "55", "65", "500", "67.74", "over"),
        ),
        (
            *("old", "all", None, "month", "2026-02-01", "2026-02-28", "USD"),
            *("1", "1", "1", "1", "1", "100", "100", "ok"),
        ),
    ],
    "forecast_by_month": [("USD", "2026-03-01", "2345.678"), ("USD", "2026-02-01", "9")],
    "anomalies": [
        (SHOP, "Voice", "voice-outbound", "2026-03-10", "USD", "40", "2.5", "37.5", "spike"),
        (SHOP, "Voice", HOSTILE, "2026-03-10", "USD", "2", "0", "2", "new_category"),
        (MAIN, "Voice", "voice-outbound", "2026-01-10", "USD", "9", "1", "8", "spike"),
    ],
    "customer_charges": [
        ("acme", "Acme", "2026-02-01", "USD", "100.00", "60.5", True),
        ("acme", "Acme", "2026-02-01", "USD", "20.00", "9.5", True),
        (None, None, "2026-02-01", "USD", "0.00", "5", False),
    ],
    "invoice_reconciliation": [
        ("IV1", "2026-02-01", "2026-02-28", "USD", "rounding", "100.01", "100", "0.01"),
        ("IV1", "2026-02-01", "2026-02-28", "USD", "tax", "7", "0", "7"),
    ],
}


def company() -> list[Row]:
    """Return two accounts whose fees are of the 1st, and whose last day is not over."""
    rows = []
    for day in days("2026-01-01", "2026-03-21"):
        for account in (MAIN, SHOP):
            mine: dict[str, Any] = {"account": account, "rolled_up": False}
            amounts = [f"{n * day.day % 7 + n * day.month}.123456" for n in range(1, 10)]
            its = a_day(day, *amounts, **mine)
            if day.day == 1:
                more(
                    its, charge(day, "support", "500", kind="recurring", **mine, service="Support")
                )
            if (day.month, day.day, account) == (3, 2, SHOP):
                more(its, charge(day, HOSTILE, "0.5", **mine))
            rows += its
    return [row._replace(as_of=NOON) if row.day == NOON.date() else row for row in rows]


def more(rows: list[Row], charged: Row) -> None:
    """Add a charge to a day, which ends with its total."""
    total = rows[-1]
    assert total.price is not None
    assert charged.price is not None
    rows[-1:] = [charged, total._replace(price=total.price + charged.price)]


def build(path: Path, **more: list[tuple[Any, ...]]) -> None:
    """Make the tables of the dbt models, with a few rows."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA twilio_usage")
        for name, columns in MODELS.items():
            connection.execute(f"CREATE TABLE twilio_usage.{name} ({columns})")
            rows = {**BUILT, **more}.get(name, [])
            connection.execute(insert(f"twilio_usage.{name}", rows))


def owned(rows: list[Row]) -> list[tuple[Any, ...]]:
    owners = {MAIN: "Unallocated", SHOP: "Retail"}
    return [
        (owners[r.account], r.account, f"{r.day}", r.service, r.category, r.unit, r.deduplicated)
        for r in rows
        if r.deduplicated
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="module")
def whole(folder: Path) -> str:
    """Return the page of a company with every dbt model."""
    rows = company()
    url = duckdb_of(rows, folder / "whole.duckdb", accounts=ACCOUNTS)
    build(folder / "whole.duckdb", allocated_cost=owned(rows))
    return written(url, folder)


def page_of(rows: list[Row], folder: Path, **more: Any) -> str:
    name = f"{len([*folder.iterdir()])}.duckdb"
    return written(duckdb_of(rows, folder / name, **more), folder)


def first_screen(page: str) -> str:
    return text_of(page.partition("<nav")[0])


def test_the_first_screen_answers_the_questions_of_who_pays(whole: str) -> None:
    said = first_screen(whole)
    assert "Data as of 21 March 2026, 12:00 GMT, from DuckDB file whole.duckdb." in said
    spent = sum(r.deduplicated or 0 for r in company() if r.day.month == 3)
    assert f"Spent so far in March 2026 {wording.money(Decimal(spent), 'USD')} " in said
    assert "budget of $2,000.00, when 68% of the month is over." in said
    assert re.search(r"[^ ][\d.]+% against the same days of February: \$[\d,.]+ against \$", said)
    assert "(the 1st to the 20th)" in said
    assert "21 March 2026 is not over: $" in said
    assert "Forecast for March 2026 $2,345.68 Between $2,200.00 and $2,500.50" in said
    assert "Budget: at risk. $345.68 over it at the end of the month." in said
    assert "Unusual in the last 30 days +$39.50 more than expected:" in said
    assert "10 March 2026, Shop: +$37.50" not in said  # one line for the account and day
    assert "10 March 2026, Shop: +$39.50. voice-outbound and 1 more (more than usual)" in said
    assert re.search(r"Who spends (Retail|Unallocated) \$[\d,.]+ (Retail|Unallocated) \$", said)
    assert "AC" not in said
    assert "missing" not in said


def test_every_amount_is_exact_on_hover(whole: str) -> None:
    assert '<span class="n" title="2345.678">$2,345.68</span>' in whole
    shown = re.findall(r'title="(-?[\d.]+)">([^<]+)<', whole)
    assert len(shown) > 500
    for exact, text in shown:
        number = Decimal(re.sub(r"[^\d.-]", "", text.replace("\N{MINUS SIGN}", "-")))
        places = len(text.partition(".")[2])
        assert abs(number - Decimal(exact)) <= Decimal(5) / 10 ** (places + 1)


def test_the_views_follow_and_the_proof_is_last(whole: str) -> None:
    heads = re.findall(r"<h2[^>]*>([^<]+)</h2>", whole)
    assert heads == [
        *("By day", "By month", "Look closer", "What changed", "Budgets", "Unusual days"),
        *("Customers", "Proof"),
    ]
    text = text_of(whole)
    assert "shop Shop over budget 1 to 31 March 2026 $10.00 $50.00 500.0% 67.7% $60.00" in text
    assert "Acme $120.00 $70.00 +$50.00 yes" in text
    assert "old all" not in text
    assert "Invoice IV1, 1 to 28 February 2026" in text
    assert "rounding $0.01 taxes $7.00 Invoice IV1 $107.01" in text
    assert "80 of 80 days are loaded for every account" in text


def test_fees_do_not_hide_the_usage(whole: str) -> None:
    usage, fees = re.findall(r'aria-label="(Bar chart of the (?:usage|recurring)[^"]+)"', whole)
    assert "most on 10 March" not in usage
    assert usage.startswith("Bar chart of the usage of each day: $")
    assert usage.endswith("; 2 unusual days.")
    assert fees.endswith("$3,000.00 in all, most on 1 January 2026 ($1,000.00).")


def test_names_from_the_warehouse_are_escaped(whole: str) -> None:
    assert "<script>alert" not in whole
    assert "\\u003cscript\\u003ealert" in whole  # in the numbers of the filter
    assert HOSTILE in text_of(whole)


def test_every_chart_says_what_it_shows_and_every_table_has_a_name(whole: str) -> None:
    charts = re.findall(r'role="img" aria-label="([^"]*)"', whole)
    assert len(charts) == 4
    assert all(re.search(r"\d", said) for said in charts)
    assert whole.count("<table") == whole.count('role="region" aria-label="')
    assert whole.count("<tbody>") == whole.count("<thead>")


def test_the_filter_has_exact_sums_of_everyone(whole: str) -> None:
    (text,) = re.findall(r'<script type="application/json" class="data">(.*?)</script>', whole)
    data = json.loads(text)
    assert data["who"] == [
        *(["account", "Head Office"], ["account", "Shop"]),
        *(["owner", "Retail"], ["owner", "Unallocated"]),
    ]
    sums = [
        sum(
            Decimal(amount or 0)
            for kind in ("day", "fee")
            for name, series in data[kind].items()
            if name.partition(".")[0] in who
            for amount in series.split(",")
        )
        for who in (("0", "1"), ("2", "3"))
    ]
    spent = sum(row.deduplicated or 0 for row in company())
    assert sums == [spent, spent]


def test_without_the_dbt_models_the_page_says_what_is_not_known(folder: Path) -> None:
    page = page_of(company(), folder, accounts=ACCOUNTS)
    said = first_screen(page)
    assert "No budget is set." in said
    assert "Forecast for March 2026 none The dbt models make the forecast" in said
    assert "Unusual in the last 30 days not known" in said
    assert re.search(r"Who spends (Shop|Head Office) \$", said)
    assert "Customers" not in re.findall(r"<h2[^>]*>([^<]+)</h2>", page)


def test_models_that_are_older_than_the_load_are_named(folder: Path) -> None:
    rows = company()
    url = duckdb_of(rows, folder / "older.duckdb")
    build(folder / "older.duckdb", allocated_cost=owned([r for r in rows if r.day.month < 3]))
    said = first_screen(written(url, folder))
    assert "built before the last load" in said
    assert "go up to 28 February 2026 only" in said


def test_a_missing_day_of_a_subaccount_is_the_first_thing_that_is_said(folder: Path) -> None:
    lost = days("2026-02-03", "2026-02-16")
    rows = [row for row in company() if row.account == MAIN or row.day not in lost]
    page = page_of(rows, folder, accounts=ACCOUNTS)
    said = "14 days of Shop are missing: 3 to 16 February 2026. The real spend is higher."
    assert said in first_screen(page)
    assert re.search(f'<b class="bad">{said}</b>', page)
    assert '<b class="bad">66 of 80 days</b>' in page
    assert "Shop 3 Feb 2026 16 Feb 2026 14" in text_of(page)
    assert re.search(r'<tr class="bad"><th scope="row">Shop</th>', page)
    assert "Not compared with the month before" in said or "Not compared" in text_of(page)


def test_months_are_shown_next_to_twilios_own(folder: Path) -> None:
    rows = dollars("2026-01-01", "2026-02-28")
    months = [own_month("2026-01-01", 31, "31"), own_month("2026-02-01", 28, "29")]
    text = text_of(page_of(rows, folder, months=months))
    assert "Jan 2026 reconciled $31.00 $31.00 0 Feb 2026 different $29.00 $28.00 0" in text
    assert "Twilio's own total of the month differs: Feb 2026." in text
    assert "no usage_reconciliation" not in text


def test_days_that_do_not_add_up_are_counted_and_the_worst_ten_listed(folder: Path) -> None:
    rows = dollars("2026-01-01", "2026-01-31")
    rows += [charge(day, "late", f"{day.day}") for day in days("2026-01-01", "2026-01-12")]
    page = page_of(rows, folder)
    assert "12 days of account …1111 do not add up to Twilio's total." in first_screen(page)
    assert "19 of 31 days" in text_of(page)
    (table,) = re.findall(r'data-name="wrong-days".*?</table>', page, re.DOTALL)
    assert re.findall(r'<th scope="row" title="2026-01-(\d\d)"', table) == [
        f"{day:02}" for day in range(12, 2, -1)
    ]
    assert "The first 10 of 12." in text_of(page)


@pytest.mark.parametrize("as_of", ["2026-01-01T18:00:00+00:00", "2026-01-02T06:00:00+00:00"])
def test_one_day_of_one_account(folder: Path, as_of: str) -> None:
    rows = [row._replace(as_of=datetime.fromisoformat(as_of)) for row in a_day("2026-01-01", "9")]
    said = first_screen(page_of(rows, folder))
    assert "Spent so far in January 2026 $9.00" in said
    assert "Not compared with the month before" in said
    assert ("1 January 2026 is not over" in said) == ("18:00" in as_of)


def test_a_whole_month_is_not_called_so_far(folder: Path) -> None:
    said = first_screen(page_of(dollars("2026-01-01", "2026-02-28"), folder))
    assert "Spent in February 2026 $28.00" in said
    assert "The whole of February 2026 $28.00 The month is over." in said
    assert "\N{MINUS SIGN}9.7% against the same days of January: $28.00 against $31.00" in said


def test_a_period_of_credits_is_negative(folder: Path) -> None:
    rows = [charge(day, "totalprice", "-2.5") for day in days("2026-01-01", "2026-02-10")]
    page = page_of(rows, folder)
    assert "Spent so far in February 2026 \N{MINUS SIGN}$25.00" in first_screen(page)
    assert (
        "$0.00 against the same days of January: \N{MINUS SIGN}$25.00 against \N{MINUS SIGN}$25.00"
        in first_screen(page)
    )
    assert "NaN" not in page


def test_currencies_and_kinds_of_accounts_are_never_summed_together(folder: Path) -> None:
    rows = [
        *a_day("2026-01-01", "1", "9"),
        *a_day("2026-01-01", "9", "1", unit="EUR"),
        *a_day("2026-01-01", "5", account="AC2", rolled_up=False),
        *a_day("2026-01-01", "4", unit="CHF", account="AC3"),
    ]
    page = page_of(rows, folder)
    text = text_of(page)
    assert "4 parts, which are not added up" in text
    for amount in ("$10.00", "€10.00", "$5.00", "CHF 4.00"):
        assert f"Spent so far in January 2026 {amount}" in text
    legends = re.findall(r'<path class="(s\d)" d="M0 0h10v10H0z"/></svg>([^<]+)', page)
    colours = {name: {colour for colour, each in legends if each == name} for _, name in legends}
    assert {name: len(found) for name, found in colours.items()} == dict.fromkeys(colours, 1)


def test_what_is_wrong_with_any_part_is_said_on_the_first_screen(folder: Path) -> None:
    rows = dollars("2026-01-01", "2026-01-31", MAIN)
    rows += [
        row._replace(unit="EUR")
        for row in dollars("2026-01-01", "2026-01-31", "AC2", without="2026-01-09")
    ]
    top = text_of(page_of(rows, folder).partition("<main>")[0])
    assert "EUR, account …AC2, including subaccounts: €30.00 in January 2026." in top
    assert "1 day of account …AC2 is missing: 9 January 2026." in top


def test_missing_days_of_every_account_do_not_hide_those_of_one(folder: Path) -> None:
    rows = dollars("2026-01-01", "2026-01-31", MAIN, "AC2", "AC3", without="2026-01-09")
    gone = {("AC2", 20), ("AC2", 21)}
    rows = [row for row in rows if (row.account, row.day.day) not in gone]
    said = first_screen(page_of(rows, folder))
    assert "1 day of every account is missing: 9 January 2026." in said
    assert "2 days of account …AC2 are missing: 20 to 21 January 2026." in said
    rows = [row for row in rows if (row.account, row.day.day) != ("AC3", 25)]
    said = first_screen(page_of(rows, folder))
    assert (
        "3 days of 2 accounts are missing, such as 20 to 21 January 2026 of account …AC2." in said
    )


def test_a_service_keeps_its_colour() -> None:
    palette = Palette([{"A": Decimal(9), "B": Decimal(1)}, {"B": Decimal(9), "C": Decimal(1)}])
    assert [palette[name] for name in "ABC"] == ["s1", "s2", "s3"]
    many = Palette([{f"S{n}": Decimal(100 - n) for n in range(9)}])
    assert [many[f"S{n}"] for n in range(9)] == ["s1", "s2", "s3", "s4", "s5", "s6", *["s0"] * 3]
    assert many.parts({"S8": Decimal(1), "S7": Decimal(2), "S0": Decimal(3)}) == [
        ("s1", Decimal(3)),
        ("s0", Decimal(3)),
    ]
    assert many.legend(["S8", "S0"]) == [("S0", "s1"), ("Other services", "s0")]


def test_many_accounts_are_grouped(folder: Path) -> None:
    accounts = [f"AC{n:032}" for n in range(1, 61)]
    rows = [
        charge(day, "totalprice", f"{n}", account=account, rolled_up=False)
        for day in days("2026-01-01", "2026-01-03")
        for n, account in enumerate(accounts, 1)
    ]
    page = page_of(rows, folder)
    (table,) = re.findall(r'data-name="accounts".*?</table>', page, re.DOTALL)
    assert table.count("<tr") == 1 + 25 + 1 + 1
    assert "35 others $1,890.00 $1,890.00" in text_of(table)  # three times 1 to 35
    assert "other 35 accounts" in page or "35 other accounts" in page
    assert "55 others" in first_screen(page)


def billing_groups(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE billing_group_records AS SELECT 'group-' || g AS billing_group_id, "
            "DATE '2026-01-15' + INTERVAL (m) MONTH AS start_date, 'SMS' AS product_name, "
            "1.5::DOUBLE AS price, 'usd' AS price_unit, DATE '2026-02-20' AS as_of "
            "FROM range(3) a(g), range(2) b(m)"
        )


def test_billing_groups_alone_have_their_own_page(folder: Path) -> None:
    billing_groups(folder / "groups.duckdb")
    page = written(f"duckdb:///{folder / 'groups.duckdb'}", folder)
    assert re.findall(r"<h2[^>]*>([^<]+)</h2>", page) == ["Billing groups"]
    assert "Data as of 20 February 2026, from DuckDB" in text_of(page)
    assert "group-0 SMS $1.50 $1.50 $3.00 33.3%" in text_of(page)
    assert "Jan 2026: $4.50; Feb 2026: $4.50" in page
    assert "add them up" not in text_of(page)


def test_billing_groups_beside_accounts_are_not_added_up(folder: Path) -> None:
    url = duckdb_of(dollars("2026-01-01", "2026-01-31"), folder / "both.duckdb")
    billing_groups(folder / "both.duckdb")
    text = text_of(written(url, folder))
    assert "the same usage is in the amounts above: do not add them up" in text
    assert "Spent in January 2026 $31.00" in text


def test_accounts_have_names_that_tell_them_apart() -> None:
    same = [Account(f"AC{n}111", "Same", "active", None, None) for n in (1, 2)]
    names = Names({each.sid: each for each in same})
    assert names["AC1111"] == "Same (…1111)"
    assert names["AC9999"] == "account …9999"
    assert names["every account"] == "every account"


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ("1234567.125", "$1,234,567.13"),
        ("-0.004", "$0.00"),
        ("-7", "\N{MINUS SIGN}$7.00"),
        ("0.005", "$0.01"),
    ],
)
def test_amounts_have_a_sign_and_two_decimals(amount: str, said: str) -> None:
    assert wording.money(Decimal(amount), "USD") == said
    assert wording.money(Decimal(amount), "XYZ") == said.replace("$", "XYZ ")


def test_shares_and_changes_are_never_zero_if_they_are_not() -> None:
    assert wording.percent(Decimal(1), Decimal(3)) == "33.3%"
    assert wording.percent(Decimal(1), Decimal(7000)) == "<0.1%"
    assert wording.percent(Decimal(-1), Decimal(3), signed=True) == "\N{MINUS SIGN}33.3%"
    assert wording.percent(Decimal(40), Decimal(1), signed=True) == "+4,000%"
    assert wording.percent(Decimal(1), Decimal(0)) == ""
    assert wording.percent(Decimal(1), Decimal(-1)) == ""
    assert wording.exact(Decimal("1.100")) == "1.10"
    assert wording.exact(Decimal("1E-12")) == "0.000000000001"


def test_an_incomplete_month_is_shown_with_its_days() -> None:
    assert wording.month(date(2026, 2, 1), date(2026, 2, 28)) == "Feb 2026"
    assert wording.month(date(2026, 2, 1), date(2026, 2, 27)) == "1\N{EN DASH}27 Feb 2026"
    assert wording.month(date(2026, 2, 1), date(2026, 2, 1)) == "1 Feb 2026"
    assert [wording.nth(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 31)] == [
        *("1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "31st")
    ]
