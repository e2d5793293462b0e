"""Decides what the log says of the difference between AllTime and the days of an account. Pure.

AllTime may be ahead of the days for a while, by another amount in each run. So what it has more
counts once every run of three days has found it, and then as much as the least of them has found.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum, auto
from typing import NamedTuple

from msgspec.structs import replace

from tap_twilio_usage.money.amounts import ZERO
from tap_twilio_usage.sync.state import History
from tap_twilio_usage.twilio.periods import DAY, Window

NEW = 3 * DAY  # the age up to which Twilio's days of an account may come later than its AllTime


class What(Enum):
    """What the log can say of AllTime."""

    HAS_MORE = auto()
    STILL_HAS_MORE = auto()
    HAS_LESS = auto()
    AGREES_AGAIN = auto()


@dataclass(frozen=True)
class Finding:
    """What the log is to say, and of which amount."""

    what: What
    amount: Decimal
    is_warning: bool


@dataclass(frozen=True)
class Comparison:
    """What one run has found. `more` is what AllTime has more than all days; negative if less."""

    today: date
    more: Decimal
    rounding: Decimal  # the amount up to which two sums are equal
    late: Decimal  # what AllTime may have before the days have it
    reads_up_to_today: bool
    has_missing_days: bool  # which the log has named


class Verdict(NamedTuple):
    """The history after a run, and what the log is to say.

    With `to_confirm`, Twilio has to be asked again, and its answer goes to `confirm`.
    """

    history: History
    findings: Sequence[Finding] = ()
    to_confirm: Decimal | None = None
    is_constant: bool = False  # AllTime has had this amount more for three days


def judge(known: History, run: Comparison) -> Verdict:
    """Return the history with what this run has found, and what the log is to say of it."""
    history, less = _judge_less(_with_amount(known, run), run)
    verdict = _judge_more(history, run) if run.more > run.rounding else _note_agreement(history)
    return verdict._replace(findings=[*less, *verdict.findings])


def confirm(verdict: Verdict, run: Comparison, more: Decimal) -> Verdict:
    """Return the verdict after Twilio was asked again, and AllTime now has so much more."""
    history = verdict.history
    if more <= history.said + run.rounding:
        return Verdict(history)
    is_warning = not run.has_missing_days and (verdict.is_constant or more > run.late)
    warned = more if is_warning else history.warned
    finding = Finding(What.HAS_MORE, more, is_warning)
    return Verdict(replace(history, said=more, warned=warned), [finding])


def late(prices: Collection[tuple[Window, Decimal]], today: date) -> Decimal:
    """Return what AllTime may have before the days have it: the most of three days of ten.

    The newest of the ten may have nothing yet. `prices` are those of periods, such as days.
    """

    def of_three(last: date) -> Decimal:
        first = last - NEW + DAY
        return sum((abs(p) for days, p in prices if days.start <= last and days.end >= first), ZERO)

    return max(of_three(today - age * DAY) for age in range(8))


def words(name: str, finding: Finding, history: History, *, includes_subaccounts: bool) -> str:
    """Return the line for the log."""
    amount = f"{finding.amount:,f}"
    since = f"before and since {history.first}" if history.before else f"since {history.first}"
    if finding.what is What.HAS_MORE:
        or_else = ", or a subaccount has usage before" if includes_subaccounts else ""
        return (
            f"{name}: Twilio's AllTime has {amount} more than all days {since} together: a day is "
            f"incomplete, or was restated after it was last read{or_else}"
        )
    if finding.what is What.STILL_HAS_MORE:
        return (
            f"{name}: Twilio's AllTime still has {amount} more than all days {since} together, and "
            "had the same in every run for three days"
        )
    if finding.what is What.HAS_LESS:
        return (
            f"{name}: Twilio's AllTime has {amount} less than all days {since} together: a refund "
            "is missing, or a day was lowered after it was last read"
        )
    return f"{name}: its days add up to Twilio's AllTime again"


def _judge_less(history: History, run: Comparison) -> tuple[History, Sequence[Finding]]:
    """Judge what AllTime has less, if it is so for three days: the days lack a refund."""
    if not run.reads_up_to_today:
        return history, ()
    less, said, findings = -run.more, history.less, list[Finding]()
    if _is_the_same_for_days(history, run) and less > said + run.rounding:
        # What Twilio's months say of the days before may be more than these had.
        is_sure = not history.before and not run.has_missing_days
        findings, said = [Finding(What.HAS_LESS, less, is_sure)], less
    return replace(history, less=max(ZERO, min(said, less))), findings


def _judge_more(history: History, run: Comparison) -> Verdict:
    """Judge what AllTime has more, once it has been so for three days."""
    since = history.more_since or run.today
    more = min(history.more or run.more, run.more)
    if run.today - since < NEW:
        return Verdict(replace(history, more_since=since, more=more))
    history = replace(history, more_since=run.today, more=ZERO)
    is_constant = _is_the_same_for_days(history, run) and abs(more - history.same) <= run.rounding
    if more > history.said + run.rounding:
        return Verdict(history, to_confirm=more, is_constant=is_constant)
    said, warned = min(history.said, more), min(history.warned, more)
    history = replace(history, said=said, warned=warned)
    # Days that go missing one by one were said at INFO, as delays. What stays the same is none.
    if is_constant and more > history.warned + run.rounding and not run.has_missing_days:
        finding = Finding(What.STILL_HAS_MORE, more, is_warning=True)
        return Verdict(replace(history, warned=more), [finding])
    return Verdict(history)


def _note_agreement(history: History) -> Verdict:
    has_begun_anew = history.more_since == history.first  # with days that were never compared
    is_news = history.said and not has_begun_anew
    findings = [Finding(What.AGREES_AGAIN, ZERO, is_warning=False)] if is_news else ()
    history = replace(history, more_since=None, more=ZERO, said=ZERO, warned=ZERO)
    return Verdict(history, findings)


def _with_amount(known: History, run: Comparison) -> History:
    if known.same_since and abs(run.more - known.same) <= run.rounding:
        return known
    return replace(known, same_since=run.today, same=run.more)


def _is_the_same_for_days(history: History, run: Comparison) -> bool:
    return history.same_since is not None and run.today - history.same_since >= NEW
