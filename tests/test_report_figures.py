"""The figures of the report: days, months, and what is missing or does not add up."""

from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_twilio_usage.report.figures.costs import (
    DayCost,
    by_day,
    mean_of_week,
    movers,
    unit_costs,
)
from tap_twilio_usage.report.figures.section import Section
from tap_twilio_usage.report.figures.sums import Account, Cost, MonthCost, Movement
from tests.reports import MAIN, a_day, charge, days, dollars, only, own_month, summed

ROWS = [
    charge("2026-01-31", "calls", "3.1", "1.1"),
    charge("2026-01-31", "calls-inbound", "2"),
    charge("2026-01-31", "totalprice", "3.6", "0.5"),
    charge("2026-02-01", "sms", "0.1", service="SMS & MMS"),
    charge("2026-02-01", "totalprice", "0.1", "0"),
]


def test_the_report_sums_days_and_months() -> None:
    section = only(ROWS)
    assert [day.first for day in section.days] == days("2026-01-31", "2026-02-01")
    assert [(m.naive, m.deduplicated, m.total, m.remainder) for m in section.months] == [
        (Decimal("5.1"), Decimal("3.6"), Decimal("3.6"), Decimal("0.5")),
        (Decimal("0.1"), Decimal("0.1"), Decimal("0.1"), Decimal(0)),
    ]
    assert not section.wrong


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


def test_days_between_the_newest_one_and_the_time_of_the_data_are_missing() -> None:
    rows = dollars("2026-01-01", "2026-01-10", MAIN, "AC2")
    assert only(rows).gaps == []  # reported in the morning after
    later = datetime(2026, 1, 25, 6, tzinfo=timezone.utc)
    section = only([row._replace(as_of=later) if row.account == MAIN else row for row in rows])
    assert gaps_of(section) == [("every account", "2026-01-11", "2026-01-24")]
    assert (section.reconciled_days, section.days_to_reconcile) == (10, 24)
    closed = [Account(sid, "", "closed", None, None) for sid in (MAIN, "AC2")]
    assert only([row._replace(as_of=later) for row in rows], accounts=closed).gaps == []


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
        (2, MAIN, None),  # the worst
        (1, "AC1", Decimal("9.000001")),
        (1, "AC2", Decimal("9.000001")),
    ]


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
    assert change.now == len(days(*after)) * Decimal("1.000001")
    assert change.was == len(days(*before)) * Decimal("1.000001")


@pytest.mark.parametrize("missing", ["2026-01-01", "2026-01-20", "2026-02-05"])
def test_a_month_is_not_compared_if_a_day_is_missing(missing: str) -> None:
    assert only(dollars("2026-01-01", "2026-02-20", without=missing)).change is None
    rows = dollars("2026-01-01", "2026-02-20", MAIN, "AC2")
    rows = [row for row in rows if row.account == MAIN or f"{row.day}" != missing]
    if missing != "2026-01-01":  # before its first loaded day, nothing is known of an account
        assert only(rows).change is None


def test_an_unfinished_day_is_left_out_of_comparisons() -> None:
    rows = dollars("2026-01-01", "2026-02-20")
    noon = rows[-1].as_of
    assert noon is not None
    rows[-1] = rows[-1]._replace(as_of=noon.replace(day=20, hour=12))
    section = only(rows)
    assert section.unfinished is not None
    assert (section.unfinished.first, section.last_finished) == (
        date(2026, 2, 20),
        date(2026, 2, 19),
    )
    assert section.change is not None
    assert section.change.after == (date(2026, 2, 1), date(2026, 2, 19))
    assert [section.change.was, section.change.now] == [19, 19]
    # On the 1st, the month that is over is the one to look at.
    first = rows[:32]
    first[-1] = first[-1]._replace(as_of=noon.replace(day=1, hour=12))
    assert only(first).month == date(2026, 1, 1)
    alone = only(first[-1:])
    assert (alone.last_finished, alone.change, alone.month) == (None, None, date(2026, 2, 1))


def without(first: str, last: str) -> Section:
    """Return a section whose second account lacks some of its days."""
    missing = days(first, last)
    return only(
        [
            row
            for row in dollars("2026-01-01", "2026-03-30", MAIN, "AC2")
            if row.account == MAIN or row.day not in missing
        ]
    )


def test_two_weeks_of_a_subaccount_are_missed_wherever_they_are() -> None:
    for first, last in (("2026-02-03", "2026-02-16"), ("2026-03-17", "2026-03-30")):
        section = without(first, last)
        assert gaps_of(section) == [("AC2", first, last)]
        assert (section.reconciled_days, section.days_to_reconcile) == (89 - 14, 89)


def test_a_closed_account_has_no_days_after_its_end() -> None:
    rows = dollars("2026-01-01", "2026-01-31", MAIN, "AC2")
    rows = [row for row in rows if row.account == MAIN or row.day.day <= 10]
    ends = {None: 10, date(2026, 1, 8): 10, date(2026, 1, 15): 14}
    for updated, last in ends.items():
        known = [Account("AC2", "Two", "closed", date(2020, 1, 1), updated)]
        gap = [("AC2", "2026-01-11", f"2026-01-{last}")] if last > 10 else []
        assert gaps_of(only(rows, accounts=known)) == gap
    suspended = [Account("AC2", "Two", "suspended", date(2020, 1, 1), date(2026, 1, 8))]
    assert gaps_of(only(rows, accounts=suspended)) == [("AC2", "2026-01-11", "2026-01-31")]


def test_a_load_may_be_too_early_for_the_unfinished_day_of_an_account() -> None:
    rows = dollars("2026-01-01", "2026-01-10", MAIN, "AC2")
    assert rows[-2].as_of is not None
    rows[-2] = rows[-2]._replace(as_of=rows[-2].as_of.replace(day=10))
    section = only(rows[:-1])
    assert section.unfinished is not None
    assert gaps_of(section) == []


def test_an_account_that_begins_after_its_creation_is_named() -> None:
    rows = dollars("2026-01-01", "2026-01-31", MAIN, "AC2", "AC3")
    rows = [row for row in rows if row.account == MAIN or row.day.day >= 10]
    known = [
        Account("AC2", "Old", "active", date(2025, 1, 1), None),
        Account("AC3", "New", "active", date(2026, 1, 9), None),
    ]
    section = only(rows, accounts=known)
    assert section.late == [("AC2", date(2026, 1, 10))]
    assert gaps_of(section) == []


@pytest.mark.parametrize(
    ("total", "missing"),
    [("31", [("AC2", "2026-01-01", "2026-01-14")]), ("17", [])],  # 17: nothing was used before
)
def test_the_first_days_of_an_account_are_missing_if_they_cost_something(
    total: str, missing: list[tuple[str, str, str]]
) -> None:
    rows = dollars("2026-01-01", "2026-02-20", MAIN, "AC2")
    rows = [row for row in rows if row.account == MAIN or row.day >= date(2026, 1, 15)]
    months = [
        own_month("2026-01-01", 31, "31"),
        own_month("2026-01-01", 31, total, account="AC2"),
        own_month("2026-02-01", 20, "20", as_of="2026-02-20"),
    ]
    section = only(rows, months=months)
    assert gaps_of(section) == missing
    assert section.days_to_reconcile - section.reconciled_days == (14 if missing else 0)


def test_a_mean_of_a_week_needs_seven_days() -> None:
    spent = [
        DayCost(day, {"Voice": Decimal(n)}, {"Support": Decimal(1000)})
        for n, day in enumerate(days("2026-01-01", "2026-01-10"))
        if n != 8
    ]
    assert mean_of_week(spent) == [*[None] * 6, Decimal(3), Decimal(4), None]
    assert mean_of_week(spent, {spent[0].day}) == [*[None] * 7, Decimal(4), None]


def test_usage_and_charges_without_usage_are_apart() -> None:
    day, empty = days("2026-01-01", "2026-01-02")
    costs = [
        Cost(day, "Voice", "A", is_fee=False, amount=Decimal(3)),
        Cost(day, "Voice", "B", is_fee=False, amount=Decimal(4)),
        Cost(day, "Support", "A", is_fee=True, amount=Decimal(500)),
    ]
    one, two = by_day(costs, [day, empty])
    assert [one.usage, one.fee, two.usage, two.fee] == [7, 500, 0, 0]
    assert [one.services, one.fees] == [{"Voice": Decimal(7)}, {"Support": Decimal(500)}]


AMOUNTS = st.decimals(-1000, 1000, places=9)
USAGES = st.decimals(0, 1000, places=3)


@given(st.lists(st.tuples(st.sampled_from("ab"), AMOUNTS, AMOUNTS, USAGES, USAGES), max_size=9))
def test_price_and_volume_add_up_to_the_change(
    found: list[tuple[str, Decimal, Decimal, Decimal, Decimal]],
) -> None:
    moved = movers(Movement("S", category, "AC", *more) for category, *more in found)
    assert all(each.from_price + each.from_volume == each.difference for each in moved)
    changes = [after - before for _, before, after, *_ in found]
    assert sum(each.difference for each in moved) == sum(changes)


def test_a_change_is_one_of_price_or_of_volume() -> None:
    def moved(before: int, after: int, usage_before: int, usage_after: int) -> list[Decimal]:
        amounts = map(Decimal, (before, after, usage_before, usage_after))
        (each,) = movers([Movement("Voice", "calls", "AC", *amounts)])
        return [each.from_price, each.from_volume]

    assert moved(10, 20, 100, 200) == [0, 10]
    assert moved(10, 20, 100, 100) == [10, 0]
    assert moved(10, 30, 100, 150) == [15, 5]
    assert moved(0, 20, 0, 100) == [0, 20]
    assert moved(10, 0, 100, 0) == [0, -10]


def test_a_shift_between_accounts_is_no_new_price() -> None:
    cheap = Movement("Voice", "calls", "AC1", *map(Decimal, (10, 20, 10, 20)))
    dear = Movement("Voice", "calls", "AC2", *map(Decimal, (100, 50, 10, 5)))
    (each,) = movers([cheap, dear])
    assert [each.from_price, each.from_volume] == [0, -40]


def test_a_unit_costs_what_was_paid_for_all_of_them() -> None:
    month, later = date(2026, 1, 1), date(2026, 2, 1)
    costs = [
        MonthCost(month, "Voice", "calls", "minutes", "A", Decimal(2), Decimal(100)),
        MonthCost(month, "Voice", "calls", "minutes", "B", Decimal(1), Decimal(100)),
        MonthCost(later, "Voice", "calls", "minutes", "A", Decimal(9), Decimal(0)),
    ]
    (each,) = unit_costs(costs)
    assert each.by_month == {month: Decimal("0.015")}
    assert (each.unit, each.cost) == ("minutes", Decimal(12))
