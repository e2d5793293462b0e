"""Checks that the accounts that are read have all the spend: Twilio's list may leave one out.

Twilio's own history of the main account with all its subaccounts must not exceed the sum of the
histories of the accounts. Once a month, with one request; where it does exceed them, the totals of
the months say since when. Pure, but for these requests and the log.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal, localcontext

from tap_twilio_usage.money.amounts import EXACT, ZERO
from tap_twilio_usage.money.dedup import ROUNDING_OF_A_ROW
from tap_twilio_usage.money.hierarchy import TOTAL, normalise
from tap_twilio_usage.sync.run import Account, Run
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.periods import MONTHLY, Window, merged
from tap_twilio_usage.twilio.threads import InOrder
from tap_twilio_usage.twilio.usage_records import Reported


class AllAccounts:
    """The comparison of one run; it does nothing if another run of this month has made it."""

    def __init__(self, run: Run) -> None:
        """Take the run; make no request yet."""
        self._run = run
        self._month = MONTHLY.first(run.planner.today)
        is_named_period = run.planner.granularity.is_named_period
        is_due = run.state.accounts_compared_in != self._month and not is_named_period
        self._together = run.together if is_due else None
        self._whole = ZERO
        self._tolerance = ROUNDING_OF_A_ROW * (len(run.accounts) + 1)

    def begin(self) -> None:
        """Fetch the history of all accounts together: before those of each, which only grow."""
        try:
            self._whole = _spend(self._together.fetch_all_time()) if self._together else ZERO
        except ApiError as error:
            self._cannot_compare(error)

    def end(self) -> None:
        """Log the months in which all accounts together have more spend than those that were read.

        The state must be written afterwards.
        """
        together = self._together
        if not together:
            return
        try:
            missing = self._fetch_missing(together)
        except ApiError as error:
            self._cannot_compare(error)
            return
        self._run.state.accounts_compared_in = self._month
        if missing:
            with localcontext(EXACT):
                amount = sum(missing.values(), ZERO)
            self._run.planner.logger.warning(
                "%s: with all its subaccounts, its spend in %s is %s more than that of the "
                "accounts that Twilio lists; the rest is not loaded: it is of an account that the "
                "list leaves out, such as one that was closed more than 30 days ago",
                together.sid,
                ", ".join(map(str, merged(map(MONTHLY.period, missing)))),
                f"{amount:,f}",
            )

    def _fetch_missing(self, together: Account) -> dict[date, Decimal]:
        """Return what the accounts lack of the months since the last comparison, by month."""
        run, accounts = self._run, self._run.accounts.values()
        today, state = run.planner.today, run.state
        if self._whole <= _sum(_spend(each.fetch_all_time()) for each in accounts):
            return {}
        first = state.accounts_compared_in or run.planner.settings.first_day(today)
        window = Window(MONTHLY.first(min(first, today)), today)
        whole = together.fetch_totals(MONTHLY, window)  # before those of each, which only grow
        parts = [
            *InOrder(lambda each: each.fetch_totals(MONTHLY, window), accounts, run.max_requests)
        ]
        missing = {}
        for month, total in whole.items():
            of_each = [part[month].price or ZERO for part in parts if month in part]
            with localcontext(EXACT):
                difference = (total.price or ZERO) - _sum(of_each)
            if difference > self._tolerance:
                missing[month] = difference
        return missing

    def _cannot_compare(self, error: ApiError) -> None:
        self._together = None
        self._run.planner.logger.warning(
            "whether Twilio lists all accounts cannot be checked; the next run tries again: %s",
            error,
        )


def _spend(history: Iterable[Reported]) -> Decimal:
    return _sum(
        each.amounts[-1] for each in history if each.amounts and normalise(each.category) == TOTAL
    )


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    with localcontext(EXACT):
        return sum(amounts, ZERO)
