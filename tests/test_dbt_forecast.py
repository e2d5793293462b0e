"""Forecasts, budgets and anomalies of the dbt package, with an account for each case."""

from __future__ import annotations

import shutil
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from tap_twilio_usage.money.hierarchy import TOTAL, shipped
from tests.conftest import QUIET_DBT, ROOT, Rows, address, blocks, clean_environment
from tests.test_dbt import of_package

TODAY = date(2026, 6, 20)  # a Saturday; it is loaded, but not over
FIRST = date(2025, 12, 1)
DAY = timedelta(days=1)
JUNE, JULY, AUGUST = date(2026, 6, 1), date(2026, 7, 1), date(2026, 8, 1)
SMS, CALLS, MMS = "sms-outbound-longcode", "calls-outbound", "mms-outbound-longcode"
NUMBERS, SETUPS = "phonenumbers-local", "phonenumbers-setups"

Charge = tuple[Decimal, Decimal]  # usage and price
Charges = dict[tuple[date, str], Charge]


def days(first: date = FIRST, last: date = TODAY) -> Iterator[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))


def usual(day: date, category: str, *, noise: int = 5) -> Decimal:
    """Return a day's usage: 1000 on working days, 300 on others, and a little more or less."""
    draw = (day.toordinal() * 7919 + len(category) * 31) % (2 * noise + 1) - noise
    return Decimal((1000 if day.weekday() < 5 else 300) * (100 + draw) // 100)


def spending(*categories: str, first: date = FIRST, last: date = TODAY, noise: int = 5) -> Charges:
    """Return a cent for each unit of the usual usage of each category."""
    return {
        (day, category): (usage := usual(day, category, noise=noise), usage / 100)
        for day in days(first, last)
        for category in categories
    }


def changed(charges: Charges, *changes: tuple[date, str, int]) -> Charges:
    """Return the charges with another usage, at a cent for each unit."""
    return {**charges, **{(d, c): (Decimal(n), Decimal(n) / 100) for d, c, n in changes}}


SUNDAY, WEDNESDAY = date(2026, 6, 14), date(2026, 6, 10)
FEES = {
    (day, NUMBERS): (Decimal(40), Decimal(46)) for day in days() if day.day == 1 and day != FIRST
}
SETUP = {(date(2026, 5, 25), SETUPS): (Decimal(3), Decimal(3))}
SUDDEN = [WEDNESDAY, WEDNESDAY + DAY, WEDNESDAY + 2 * DAY]

ACCOUNTS: dict[str, Charges] = {
    "steady": changed(spending(CALLS, noise=0), (TODAY, CALLS, 50)),
    "odd day": changed(spending(CALLS, noise=0), (date(2026, 5, 13), CALLS, 900000)),
    "busy today": changed(spending(CALLS), (TODAY, CALLS, 50000)),
    "fees": {**spending(CALLS), **FEES, **SETUP},
    "new": spending(CALLS, first=TODAY - 3 * DAY),
    "of one day": spending(CALLS, first=TODAY),
    "stale": spending(CALLS, last=date(2026, 6, 5)),
    "noisy": spending(CALLS, noise=40),
    "burst": changed(spending(SMS, CALLS), *((day, SMS, 5000) for day in SUDDEN)),
    "small burst": changed(spending(SMS), (SUNDAY, SMS, 700)),
    "no spread": {
        (day, category): (usage * times, price * times)
        for (day, category), (usage, price) in spending(SMS, noise=0).items()
        for times in [Decimal("11.5") if day == WEDNESDAY else 10]
    },
    "country": changed(spending(CALLS), (WEDNESDAY, MMS, 2000)),
    "little of a country": changed(spending(CALLS), (WEDNESDAY, MMS, 400)),
    "leaked key": changed({}, *((day, SMS, 9000) for day in SUDDEN)),
    "one stops": changed(spending(SMS, CALLS), (WEDNESDAY, SMS, 0)),
    "holiday": changed(spending(SMS, CALLS), (WEDNESDAY, SMS, 50), (WEDNESDAY, CALLS, 50)),
    "dearer": {  # and on the last day, more is used
        (day, category): (usage * more, price * more * dearer)
        for (day, category), (usage, price) in spending(SMS).items()
        for more in [Decimal("1.35") if day == TODAY - DAY else 1]
        for dearer in [Decimal("1.6") if day >= WEDNESDAY else 1]
    },
    "dearer destinations": {**spending(CALLS), (WEDNESDAY, CALLS): (Decimal(1100), Decimal(220))},
    "credited": {
        (day, category): (usage, -price * (1 + day.day % 3))
        for (day, category), (usage, price) in spending(CALLS).items()
    },
    "owned": spending(SMS, CALLS, noise=0),
    "euros": spending(CALLS, noise=0),
}

BUDGETS = """budget_id,scope,scope_value,period,amount,currency,valid_from,valid_to
all,all,,month,1000000,USD,,
steady,account,steady,month,150,usd,,2026-04-30
steady,account,steady,month,250,USD,2026-05-01,
risk,account,steady,month,200,USD,2026-06-05,
quarter,account,steady,quarter,100000,USD,,
year,account,steady,year,100000,USD,,
voice,service,voice,month,1,USD,,
messages,category,Channels,month,1000000,USD,,
mms,category,mms,month,1000000,USD,,
sales,owner,Sales,month,1000000,USD,,
ops,owner,Ops,month,1000000,USD,,
nobody,owner,Nobody,month,10,USD,,
euros,all,,month,1000000,EUR,,
"""
RULES = """\
rule_id,priority,account_sid,service,category,owner,cost_center,weight,valid_from,valid_to
r,1,owned,,sms*,Sales,,3,,
r,1,owned,,sms*,Ops,,1,,
"""
EMPTY = BUDGETS.splitlines()[0] + "\n"
MODELS = ("+forecast_by_month", "+budget_status", "+anomalies", "+reconciliation")
# What has to be built again with other budgets; the test is of customers too, which are not built.
OF_BUDGETS = ("budgets+", "--exclude", "inputs_match_something")


def rows() -> Iterator[tuple[Any, ...]]:
    """Yield the tables' rows: categories first, then the records of each account."""
    for account, charges in ACCOUNTS.items():
        totals: defaultdict[date, Decimal] = defaultdict(Decimal)
        for (day, category), (usage, price) in charges.items():
            totals[day] += price
            known = shipped().categories[category]
            kinds = known.service, known.billing_kind, known.parent, "leaf"
            yield account, day, category, *kinds, usage, price, price
        for day, total in totals.items():
            yield account, day, TOTAL, "Unattributed", "total", None, "total", total, total, 0


def load(uri: str) -> None:
    """Write what the models read of the streams' tables."""
    with psycopg.connect(uri) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA tap_twilio_usage")
        cursor.execute(
            "CREATE TABLE tap_twilio_usage.categories (category TEXT, description TEXT, "
            "parent_category TEXT, also_included_in TEXT, service TEXT, level INT, role TEXT, "
            "billing_kind TEXT, count_unit TEXT, usage_unit TEXT, is_known BOOLEAN, "
            "is_reported BOOLEAN, confidence TEXT, counts_in_total BOOLEAN)"
        )
        cursor.executemany(
            "INSERT INTO tap_twilio_usage.categories (category, parent_category, service, "
            "billing_kind, is_known) VALUES (%s, %s, %s, %s, TRUE)",
            [
                (c.category, c.parent, c.service, c.billing_kind)
                for c in shipped().categories.values()
            ],
        )
        cursor.execute(
            "CREATE TABLE tap_twilio_usage.usage_records_daily (account_sid TEXT, start_date DATE, "
            "category TEXT, service TEXT, billing_kind TEXT, parent_category TEXT, "
            "dedup_role TEXT, "
            "usage NUMERIC, price NUMERIC, deduplicated_price NUMERIC, end_date DATE, "
            "description TEXT, count NUMERIC, count_unit TEXT, usage_unit TEXT, price_unit TEXT, "
            "counts_in_total BOOLEAN, includes_subaccounts BOOLEAN, as_of TIMESTAMP)"
        )
        with cursor.copy(
            "COPY tap_twilio_usage.usage_records_daily (account_sid, start_date, category, "
            "service, billing_kind, parent_category, dedup_role, usage, price, "
            "deduplicated_price) FROM STDIN"
        ) as copy:
            for row in rows():
                copy.write_row(row)
        cursor.execute(
            "UPDATE tap_twilio_usage.usage_records_daily SET as_of = %s, "
            "price_unit = CASE account_sid WHEN 'euros' THEN 'EUR' ELSE 'USD' END",
            [f"{TODAY} 12:00:00"],
        )


@pytest.fixture(scope="session")
def marts(
    plugins: Path, postgres: str, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Rows]:
    """Build the marts, without budgets first; return a function that queries them."""
    with psycopg.connect(f"{postgres}/postgres", autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS forecasts WITH (FORCE)")  # of an earlier set-up
        connection.execute("CREATE DATABASE forecasts")
    uri = f"{postgres}/forecasts"
    load(uri)
    package = tmp_path_factory.mktemp("forecasts") / "dbt"
    shutil.copytree(ROOT / "dbt", package, ignore=shutil.ignore_patterns("target", "logs"))
    without = build(plugins, package, uri, *MODELS, budgets=EMPTY)
    assert without.returncode == 0, without.stdout
    found = query(uri, "SELECT * FROM twilio_usage.budget_status ORDER BY currency")
    done = build(plugins, package, uri, *OF_BUDGETS, budgets=BUDGETS)
    assert done.returncode == 0, done.stdout
    return lambda statement: found if statement == "without" else query(uri, statement)


def build(
    plugins: Path, package: Path, uri: str, *models: str, budgets: str
) -> subprocess.CompletedProcess[str]:
    (package / "seeds" / "budgets.csv").write_text(budgets)
    (package / "seeds" / "allocation_rules.csv").write_text(RULES)
    dbt = plugins / "utilities" / "dbt-postgres" / "venv" / "bin" / "dbt"
    command: list[str | Path] = [dbt, "build", "--select", *models]
    return subprocess.run(
        [*command, "--indirect-selection", "buildable", "--profiles-dir", package],
        cwd=package,
        env={**clean_environment(), **address(uri), **QUIET_DBT},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def query(uri: str, statement: str) -> Rows:
    with psycopg.connect(uri) as connection:
        return connection.execute(statement).fetchall()


def sum_of(account: str, first: date, last: date, *categories: str) -> Decimal:
    """Return what an account is charged from the first to the last day."""
    return sum(
        (
            price
            for (day, category), (_, price) in ACCOUNTS[account].items()
            if first <= day <= last and (not categories or category in categories)
        ),
        Decimal(0),
    )


def to_come(first: date, last: date) -> Decimal:
    """Return what the days cost without any noise."""
    return sum((usual(day, CALLS, noise=0) / 100 for day in days(first, last)), Decimal(0))


Marts = Callable[..., Rows]


def forecast_of(marts: Marts, account: str, month: date = JUNE) -> tuple[Any, ...]:
    """Return actual, forecast, low and high of all services, and the methods."""
    (row,) = marts(
        "SELECT SUM(actual), SUM(forecast), SUM(low), SUM(high), MAX(method) "
        f"FROM twilio_usage.forecast_by_month WHERE account_sid = '{account}' AND month = '{month}'"
    )
    return row


def test_a_forecast_is_the_cost_so_far_and_the_weekday_means(marts: Marts) -> None:
    actual = sum_of("steady", JUNE, TODAY)
    # Of today, fifty units have been used: the rest of the 300 is to come.
    end = actual - Decimal("0.5") + to_come(TODAY, date(2026, 6, 30))
    assert forecast_of(marts, "steady") == (actual, end, end, end, "weekday means")


def test_the_next_two_months_are_forecast_and_past_months_are_what_they_were(marts: Marts) -> None:
    july = to_come(JULY, date(2026, 7, 31))
    assert forecast_of(marts, "steady", JULY)[:4] == (0, july, july, july)
    august = to_come(AUGUST, date(2026, 8, 31))
    assert forecast_of(marts, "steady", AUGUST)[:4] == (0, august, august, august)
    may = sum_of("noisy", date(2026, 5, 1), date(2026, 5, 31))
    assert forecast_of(marts, "noisy", date(2026, 5, 1)) == (may, may, may, may, "actual")
    assert marts("SELECT MAX(month) FROM twilio_usage.forecast_by_month") == [(AUGUST,)]


def test_the_largest_day_of_eight_weeks_changes_no_forecast(marts: Marts) -> None:
    actual = sum_of("odd day", JUNE, TODAY - DAY) + usual(TODAY, CALLS, noise=0) / 100
    _, forecast, low, high, _ = forecast_of(marts, "odd day")
    assert forecast == actual + to_come(TODAY + DAY, date(2026, 6, 30))
    assert low < forecast < high  # the day itself was not foreseen


def test_a_day_that_costs_more_than_expected_is_not_expected_again(marts: Marts) -> None:
    actual, forecast, low, high, _ = forecast_of(marts, "busy today")
    days_to_come = to_come(TODAY + DAY, date(2026, 6, 30))
    assert abs(forecast - actual - days_to_come) < days_to_come / 20
    assert actual <= low < forecast < high


def test_fees_are_those_of_last_month(marts: Marts) -> None:
    statement = (
        "SELECT month, actual, forecast, low, high, method FROM twilio_usage.forecast_by_month "
        "WHERE account_sid = 'fees' AND service = 'Phone Numbers' AND month >= '2026-06-01' "
        "ORDER BY month"
    )
    june, *later = marts(statement)
    assert june[1:3] == (46, 49)  # the setup of the 25th is to come
    assert [row[1:3] for row in later] == [(0, 49), (0, 49)]
    assert june[-1] == "last month"


def end_of(month: int) -> date:
    return date(2026, month + 1, 1) - DAY


# The fees of the months from January to May of 2026.
AT_THE_END = {end_of(month): 50 for month in range(1, 6)}
ON_THE_28TH = {date(2026, month, 28): 50 for month in range(1, 6)}
ON_THE_30TH = {min(date(2026, month, 28) + 2 * DAY, end_of(month)): 50 for month in range(1, 6)}
LAST_DAYS = [
    *(date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1), date(2026, 3, 28)),
    *(date(2026, 3, 29), date(2026, 3, 30), date(2026, 3, 31), date(2026, 4, 29)),
    *(date(2026, 4, 30), date(2026, 5, 30), date(2026, 5, 31)),
]


@pytest.mark.parametrize("charged_days", [1, 0], ids=["charged", "not yet"])
@pytest.mark.parametrize("fees", [AT_THE_END, ON_THE_28TH, ON_THE_30TH], ids=["end", "28", "30"])
def test_a_fee_of_a_months_end_is_forecast_once(
    compiled: Path, fees: dict[date, int], charged_days: int
) -> None:
    (path,) = (compiled / "models").rglob("int_twilio_usage__forecasts.sql")
    model = of_package(path)
    for today in LAST_DAYS:
        found = to_come_of_fees(model, today, fees, fees.get(today, 0) * charged_days)
        month = today.replace(day=1)
        charged = sum(fee for day, fee in fees.items() if month <= day < today + charged_days * DAY)
        assert found.pop(month) == 50 - charged, today
        assert set(found.values()) == {50}, today


def to_come_of_fees(
    model: str, today: date, fees: dict[date, int], begun: int
) -> dict[date, Decimal]:
    """Return what the model expects of each month, of fees and what today has cost so far."""
    with closing(duckdb.connect()) as duck:
        duck.execute(
            "CREATE TABLE int_twilio_usage__loaded_days AS "
            f"SELECT 'AC1' AS account_sid, DATE '{today}' AS today, TRUE AS is_current"
        )
        duck.execute(
            "CREATE TABLE int_twilio_usage__series AS SELECT 1 AS series_id, 'AC1' AS account_sid, "
            "'Support' AS service, 'support' AS category, 'USD' AS price_unit"
        )
        duck.execute(
            "CREATE TABLE cost_by_day AS SELECT account_sid, service, category, price_unit, "
            f"DATE '{today}' AS start_date, {begun}::DECIMAL(38, 12) AS cost "
            "FROM int_twilio_usage__series"
        )
        costs = ", ".join(f"(DATE '{day}', {fee})" for day, fee in fees.items())
        duck.execute(
            "CREATE TABLE int_twilio_usage__baselines AS SELECT 1 AS series_id, "
            "'AC1' AS account_sid, days.start_date::DATE AS start_date, "
            f"days.start_date >= '{today}' AS is_to_come, isodow(days.start_date) - 1 AS weekday, "
            "'recurring' AS billing_kind, DATE '2026-01-28' AS first_cost, 8 AS weeks, "
            f"CASE WHEN days.start_date < '{today}' THEN COALESCE(costs.cost, 0) END"
            "::DECIMAL(38, 12) AS cost, 0::DOUBLE AS expected "
            f"FROM generate_series(DATE '2026-01-01', DATE '{today + 6 * DAY}', INTERVAL 1 DAY) "
            f"AS days (start_date) LEFT JOIN (VALUES {costs}) AS costs (day, cost) "
            "ON days.start_date = costs.day"
        )
        return dict(duck.execute(f"SELECT month, to_come FROM ({model})").fetchall())


def test_a_short_history_is_said_and_still_gives_a_number(marts: Marts) -> None:
    actual, forecast, low, high, method = forecast_of(marts, "new")
    assert method == "short history"
    assert actual <= low < forecast < high
    actual = sum_of("of one day", TODAY, TODAY)
    assert forecast_of(marts, "of one day") == (*[actual] * 4, "short history")


def test_an_account_that_is_no_longer_loaded_has_no_forecast(marts: Marts) -> None:
    actual = sum_of("stale", JUNE, TODAY)
    assert forecast_of(marts, "stale") == (*[actual] * 4, "not loaded lately")
    assert forecast_of(marts, "stale", JULY) == (*[None] * 5,)


def budget(marts: Marts, name: str, start: date = JUNE) -> dict[str, Any]:
    """Return the row of a budget and period."""
    names = (
        *("amount", "actual", "forecast", "forecast_low", "forecast_high"),
        *("percent_used", "percent_of_period", "status"),
    )
    (row,) = marts(
        f"SELECT {', '.join(names)} FROM twilio_usage.budget_status "
        f"WHERE budget_id = '{name}' AND period_start = '{start}'"
    )
    return dict(zip(names, row, strict=True))


def test_the_status_of_a_budget(marts: Marts) -> None:
    actual, end, *_ = forecast_of(marts, "steady")
    assert actual < 200 < end < 250
    assert budget(marts, "steady")["status"] == "ok"
    assert budget(marts, "risk")["status"] == "at_risk"
    assert budget(marts, "voice")["status"] == "over"
    found = budget(marts, "risk")
    assert (found["actual"], found["forecast"]) == (actual, end)
    assert found["percent_used"] == round(actual / 2, 2)
    assert found["percent_of_period"] == round(Decimal(1900) / 30, 2)


def test_a_period_has_the_budget_that_is_valid_on_its_last_day(marts: Marts) -> None:
    statement = (
        "SELECT period_start, amount FROM twilio_usage.budget_status "
        "WHERE budget_id = '{}' ORDER BY 1"
    )
    found = marts(statement.format("steady"))
    assert found == [
        (date(2025, 12, 1), 150),
        *((date(2026, n, 1), 150) for n in range(1, 5)),
        *((date(2026, n, 1), 250) for n in (5, 6)),
    ]
    assert marts(statement.format("risk")) == [(JUNE, 200)]


def test_quarters_and_years_are_forecast_to_their_end(marts: Marts) -> None:
    _, june, *_ = forecast_of(marts, "steady")
    april = date(2026, 4, 1)
    quarter = sum_of("steady", april, date(2026, 5, 31)) + june
    assert budget(marts, "quarter", april)["forecast"] == quarter
    assert budget(marts, "quarter", april)["percent_of_period"] == round(Decimal(8000) / 91, 2)
    year = sum_of("steady", date(2026, 1, 1), date(2026, 5, 31)) + june
    year += to_come(JULY, date(2026, 12, 31))
    assert budget(marts, "year", date(2026, 1, 1))["forecast"] == year
    last_year = budget(marts, "year", date(2025, 1, 1))
    assert last_year["percent_of_period"] == 100
    assert {last_year[name] for name in ("forecast", "forecast_low", "forecast_high")} == {
        sum_of("steady", FIRST, date(2025, 12, 31))
    }


def test_a_category_stands_for_all_that_is_inside_it(marts: Marts) -> None:
    messages = sum(sum_of(name, JUNE, TODAY, SMS, MMS) for name in ACCOUNTS if name != "euros")
    assert budget(marts, "messages")["actual"] == messages
    mms = sum(sum_of(name, JUNE, TODAY, MMS) for name in ACCOUNTS)
    assert budget(marts, "mms")["actual"] == mms


def test_an_owner_has_a_share_of_the_forecast(marts: Marts) -> None:
    _, forecast, *_ = marts(
        "SELECT actual, forecast FROM twilio_usage.forecast_by_month "
        f"WHERE account_sid = 'owned' AND service = 'SMS & MMS' AND month = '{JUNE}'"
    )[0]
    sales, ops = budget(marts, "sales"), budget(marts, "ops")
    assert sales["actual"] == sum_of("owned", JUNE, TODAY, SMS) * 3 / 4
    assert (sales["forecast"], ops["forecast"]) == (forecast * 3 / 4, forecast / 4)
    assert budget(marts, "nobody")["actual"] == 0
    assert budget(marts, "nobody")["status"] == "ok"


def test_only_costs_in_the_currency_of_a_budget_count(marts: Marts) -> None:
    assert budget(marts, "euros")["actual"] == sum_of("euros", JUNE, TODAY)
    in_dollars = sum(sum_of(name, JUNE, TODAY) for name in ACCOUNTS if name != "euros")
    assert budget(marts, "all")["actual"] == in_dollars


def test_the_forecast_of_everything_is_the_sum_of_the_services(marts: Marts) -> None:
    services = marts(
        "SELECT SUM(forecast), SUM(high - forecast) FROM twilio_usage.forecast_by_month "
        f"WHERE month = '{JUNE}' AND price_unit = 'USD'"
    )
    ((forecast, half_ranges),) = services
    found = budget(marts, "all")
    assert abs(found["forecast"] - forecast) < Decimal("0.001")
    assert 0 < found["forecast_high"] - found["forecast"] < half_ranges


def test_without_budgets_the_current_month_says_so(marts: Marts) -> None:
    found = marts("without")
    assert [(row[0], row[4], row[6], row[7], row[-1]) for row in found] == [
        ("no budget", JUNE, currency, None, "no_budget") for currency in ("EUR", "USD")
    ]
    assert found[0][8] == sum_of("euros", JUNE, TODAY)


def anomalies(marts: Marts, account: str) -> list[tuple[Any, ...]]:
    return marts(
        "SELECT start_date, category, kind FROM twilio_usage.anomalies "
        f"WHERE account_sid = '{account}' ORDER BY start_date, category"
    )


def test_each_day_of_a_burst_is_a_spike(marts: Marts) -> None:
    assert anomalies(marts, "burst") == [(day, SMS, "spike") for day in SUDDEN]
    found = marts(
        "SELECT cost, expected, low, high, score, excess_cost FROM twilio_usage.anomalies "
        f"WHERE account_sid = 'burst' AND start_date = '{WEDNESDAY}'"
    )
    ((cost, expected, low, high, score, excess),) = found
    assert (cost, excess) == (50, 50 - expected)
    assert low < expected < high < 50
    assert 9 < expected < 11
    assert score > 5


@pytest.mark.parametrize(
    "account",
    [
        *("steady", "busy today", "fees", "of one day", "noisy", "small burst", "no spread"),
        *("little of a country", "holiday", "credited"),
    ],
)
def test_what_is_usual_or_small_is_no_anomaly(marts: Marts, account: str) -> None:
    assert anomalies(marts, account) == []


def test_a_category_is_new_from_the_smallest_excess_on(marts: Marts) -> None:
    assert anomalies(marts, "country") == [(WEDNESDAY, MMS, "new_category")]


def test_an_account_that_was_never_used_is_watched(marts: Marts) -> None:
    assert anomalies(marts, "leaked key")[0] == (WEDNESDAY, SMS, "new_category")
    assert anomalies(marts, "new") == [(TODAY - 3 * DAY, CALLS, "new_category")]


def test_a_category_that_stops_alone_is_a_drop(marts: Marts) -> None:
    assert anomalies(marts, "one stops") == [(WEDNESDAY, SMS, "drop")]


def test_a_new_price_is_a_change_of_price_for_some_days(marts: Marts) -> None:
    found = anomalies(marts, "dearer")
    assert found[0] == (WEDNESDAY, SMS, "price_change")
    assert {kind for _, _, kind in found} == {"price_change"}
    assert len(found) <= 4
    assert anomalies(marts, "dearer destinations") == [(WEDNESDAY, CALLS, "price_change")]


INVALID = """budget_id,scope,scope_value,period,amount,currency,valid_from,valid_to
,all,,month,1,USD,,
no such scope,team,x,month,1,USD,,
of nothing,service,,month,1,USD,,
weekly,all,,week,1,USD,,
no amount,all,,month,,USD,,
negative,all,,month,-1,USD,,
no currency,all,,month,1,,,
backwards,all,,month,1,USD,2026-02-01,2026-01-01
twice,all,,month,1,USD,2026-01-01,2026-03-31
twice,all,,month,2,USD,2026-03-31,
fine,all,,month,1,USD,2026-01-01,2026-03-31
fine,all,,month,2,USD,2026-04-01,
moved,service,Voice,month,1,USD,,2026-03-31
moved,category,calls,month,1,USD,2026-04-01,
"""


@pytest.mark.parametrize("page", ["anomalies.md", "forecast.md"])
def test_the_queries_of_the_documentation_have_rows(marts: Marts, page: str) -> None:
    queries = blocks(ROOT / "docs" / page, "sql")
    assert queries
    assert all(marts(each) for each in queries)


def test_the_budgets_of_the_documentation_and_the_sandbox_have_the_columns() -> None:
    columns = (ROOT / "dbt" / "seeds" / "budgets.csv").read_text().strip()
    (example,) = blocks(ROOT / "docs" / "forecast.md", "csv")
    for text in (example, (ROOT / "sandbox" / "seeds" / "budgets.csv").read_text(), BUDGETS):
        assert text.splitlines()[0] == columns
        assert {line.count(",") for line in text.splitlines()} == {columns.count(",")}


@pytest.mark.nightly
@pytest.mark.usefixtures("marts")
def test_budgets_that_make_no_sense_fail(plugins: Path, postgres: str, tmp_path: Path) -> None:
    package = tmp_path / "dbt"
    shutil.copytree(ROOT / "dbt", package, ignore=shutil.ignore_patterns("target", "logs"))
    done = build(plugins, package, f"{postgres}/forecasts", *OF_BUDGETS, budgets=INVALID)
    assert "FAIL 11 budgets_are_valid" in done.stdout
