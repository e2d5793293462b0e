"""What is said of AllTime, given what each run has found: `test_whole_life.py` has the rest."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_twilio_usage.sync.difference import Comparison, Finding, What, confirm, judge, late
from tap_twilio_usage.sync.state import History
from tap_twilio_usage.twilio.periods import DAILY, MONTHLY

FIRST = date(2026, 1, 1)
ROUNDING = Decimal("0.5")
NO_RUN = ""
GROWS = ["4", "6", "5", "8"]
SAID = {
    What.HAS_MORE: "more",
    What.STILL_HAS_MORE: "still more",
    What.HAS_LESS: "less",
    What.AGREES_AGAIN: "again",
}


def day(number: int) -> date:
    return date.fromordinal(FIRST.toordinal() + number)


class Account:
    """An account that is compared each night; it notes what the log is to say."""

    def __init__(self, before: int | None = 0) -> None:
        self.history = History(FIRST, None if before is None else Decimal(before))
        self.said: list[str] = []

    def compare(
        self,
        night: int,
        more: Decimal | str,
        *,
        confirmed: str | None = None,
        missing: bool = False,
        end_date: bool = False,
    ) -> list[Finding]:
        """Compare once; `confirmed` is what AllTime has more when Twilio is asked again."""
        run = Comparison(
            day(night),
            Decimal(more),
            rounding=ROUNDING,
            late=Decimal(10),
            reads_up_to_today=not end_date,
            has_missing_days=missing,
        )
        before = msgspec.structs.replace(self.history)
        verdict = judge(self.history, run)
        assert self.history == before  # it is not changed in place
        findings = [*verdict.findings]
        if verdict.to_confirm is not None:
            verdict = confirm(verdict, run, Decimal(confirmed or verdict.to_confirm))
            findings += verdict.findings
        self.history = verdict.history
        for each in findings:
            level = "WARNING" if each.is_warning else "INFO"
            self.said.append(f"{night} {level} {SAID[each.what]} {each.amount}")
        return findings


@pytest.mark.parametrize(
    ("amounts", "said"),
    [
        (["0", "0.5", "-0.5", "0", "0"], []),
        (["5", "5", "5"], []),
        (["5", "5", "5", "5"], ["3 WARNING more 5"]),
        (["5"] * 20, ["3 WARNING more 5"]),
        (["9", "5", "7", "8"], ["3 INFO more 5"]),
        (["19", "15", "17", "18"], ["3 WARNING more 15"]),  # more than three days can be late
        (["5", "5", "5", "0", "5", "5", "5"], []),
        (["5", "5", "5", "0", *["9"] * 4], ["7 WARNING more 9"]),
        (["3", "9", *[NO_RUN] * 5, "9"], ["7 INFO more 3"]),  # not the same in every run
        (["5"] * 4 + ["9"] * 4, ["3 WARNING more 5", "6 INFO more 9"]),
        (
            ["5"] * 4 + ["3"] * 12 + ["5"] * 8,
            ["3 WARNING more 5", "18 INFO more 5", "21 WARNING still more 5"],
        ),
        (["5"] * 4 + ["0"] * 4, ["3 WARNING more 5", "4 INFO again 0"]),
        ([*GROWS, *["4"] * 8], ["3 INFO more 4", "9 WARNING still more 4"]),
        (
            ["5"] * 4 + ["0", *GROWS, *["4"] * 8],
            [
                "3 WARNING more 5",
                "4 INFO again 0",
                "8 INFO more 4",
                "14 WARNING still more 4",
            ],
        ),
        (["-5"] * 3, []),
        (["-5"] * 20, ["3 WARNING less 5"]),
        (["-5"] * 4 + ["-9"] * 4, ["3 WARNING less 5", "7 WARNING less 9"]),
        (["-5", "-6", "-7", "-5", "-6", "-7"], []),
        (["-5"] * 4 + ["0"] * 2 + ["-5"] * 4, ["3 WARNING less 5", "9 WARNING less 5"]),
    ],
)
def test_what_is_said_in_which_night(amounts: list[str], said: list[str]) -> None:
    account = Account()
    for night, more in enumerate(amounts):
        if more != NO_RUN:
            account.compare(night, more)
    assert account.said == said


def test_what_stays_beside_days_that_the_log_has_named_is_no_warning() -> None:
    account = Account()
    for night, more in enumerate([*GROWS, *["4"] * 8]):
        account.compare(night, more, missing=True)
    assert account.said == ["3 INFO more 4"]


@pytest.mark.parametrize("more", ["5", "50", "-5"])
def test_beside_days_that_the_log_has_named_nothing_is_a_warning(more: str) -> None:
    account = Account()
    for night in range(5):
        account.compare(night, more, missing=True)
    assert account.said == [f"3 INFO {'less' if more == '-5' else 'more'} {more.lstrip('-')}"]


def test_less_than_days_whose_months_are_compared_is_no_warning() -> None:
    account = Account(before=7)
    for night in range(5):
        account.compare(night, "-5")
    assert account.said == ["3 INFO less 5"]


def test_less_says_nothing_if_end_date_leaves_days_out() -> None:
    account = Account()
    for night in range(9):
        account.compare(night, "-5", end_date=True)
    assert account.said == []


@pytest.mark.parametrize(("confirmed", "said"), [("0", []), ("4", ["3 WARNING more 4"])])
def test_what_twilio_no_longer_has_is_not_said(confirmed: str, said: list[str]) -> None:
    account = Account()
    for night in range(4):
        account.compare(night, "5", confirmed=confirmed)
    assert account.said == said


def test_a_history_that_begins_anew_does_not_say_that_the_days_add_up_again() -> None:
    account = Account()
    account.history = History(FIRST, more_since=FIRST, said=Decimal(5))
    account.compare(9, "0")
    assert account.said == []
    assert account.history.said == 0


AMOUNTS = st.decimals("-50", "50", places=1)


@given(st.lists(AMOUNTS, max_size=20), st.decimals("0.6", "50", places=1))
def test_what_stays_is_warned_of_once_whatever_was_before(
    before: list[Decimal], more: Decimal
) -> None:
    account = Account()
    for night, amount in enumerate(before):
        account.compare(night, amount)
    for night in range(len(before), len(before) + 9):
        account.compare(night, more)
    assert account.history.warned + ROUNDING >= more  # or a warning was of more than that
    said = [*account.said]
    for night in range(len(before) + 9, len(before) + 20):
        account.compare(night, more)
    assert account.said == said


@given(st.lists(st.decimals("-0.5", "0.5", places=1)))
def test_rounding_is_never_said(amounts: Iterable[Decimal]) -> None:
    account = Account()
    for night, amount in enumerate(amounts):
        account.compare(night, amount)
    assert account.said == []


@given(st.lists(AMOUNTS))
def test_nothing_is_a_warning_in_less_than_three_days(amounts: Iterable[Decimal]) -> None:
    account = Account()
    for number, amount in enumerate(amounts):
        account.compare(number % 3, amount)
    assert not any("more" in line or "less" in line for line in account.said)


@pytest.mark.parametrize(
    ("prices", "most"),
    [
        ({}, 0),
        ({30: 5, 29: 5, 28: -5, 27: 9, 25: 1}, 19),
        ({21: 7, 20: 8, 19: 9}, 7),
    ],
)
def test_alltime_may_be_ahead_by_the_most_of_three_of_the_newest_ten_days(
    prices: dict[int, int], most: int
) -> None:
    periods = [(DAILY.period(day(number)), Decimal(price)) for number, price in prices.items()]
    assert late(periods, day(30)) == most


def test_so_is_a_month_that_any_of_them_is_in() -> None:
    assert late([(MONTHLY.period(FIRST), Decimal(7))], day(39)) == 7
    assert late([(MONTHLY.period(FIRST), Decimal(7))], day(40)) == 0
