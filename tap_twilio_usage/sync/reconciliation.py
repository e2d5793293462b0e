"""One run of `usage_reconciliation`: asks for the days and the months of each account."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import groupby
from typing import NamedTuple

from tap_twilio_usage.logs.wording import count
from tap_twilio_usage.sync import subaccount_switch
from tap_twilio_usage.sync.account import Account
from tap_twilio_usage.sync.all_accounts import AllAccounts
from tap_twilio_usage.sync.first_day import FirstDay, fetch_first_day
from tap_twilio_usage.sync.months import Month, compared, zero
from tap_twilio_usage.sync.run import Run
from tap_twilio_usage.sync.state import AccountContext, AccountState
from tap_twilio_usage.twilio.errors import RetriesExhausted
from tap_twilio_usage.twilio.periods import (
    DAILY,
    DAY,
    LATEST,
    MONTHLY,
    Window,
    merged,
    without,
)
from tap_twilio_usage.twilio.threads import InOrder


class _Item(NamedTuple):
    """An account to read; `since` is the first day that was ever read of it or its subaccounts."""

    state: AccountState
    since: date | None


class _Answer(NamedTuple):
    """The months of an account; `first_expected` is the first day that Daily has to list.

    `creation_is_unknown` is whether it is a first load, or one from an earlier start_date, with
    credentials that cannot read when the account was created.
    """

    account: Account
    window: Window
    months: list[Month]
    first_expected: date | None
    creation_is_unknown: bool


class Reconciliation:
    """Compares the months of every account with their days."""

    def __init__(self, run: Run) -> None:
        """Take the run; make no request yet."""
        self._run = run
        self._all_accounts = [AllAccounts(run, company) for company in run.companies]

    def begin(self) -> list[AccountContext]:
        """Return the contexts to pass to `months`, in this order; make no request yet."""
        withdrawn, to_read = subaccount_switch.contexts(self._run)
        self._answers = InOrder(self._fetch, map(self._item, to_read), self._run.max_requests)
        self._run.write_state()
        return [*withdrawn, *to_read]

    def end(self) -> None:
        """Note that all months of all accounts have been emitted."""
        for each in self._all_accounts:
            each.end()
        self._run.write_state()

    def months(self, context: AccountContext) -> Iterator[list[Month]]:
        """Yield the rows of one account, a month at a time. Raises ApiError.

        The caller must emit a month before it takes the next one.
        """
        run, state = self._run, self._run.state.of(context)
        if run.account(context.account_sid) is None:
            yield from self._withdraw(state)
            return
        # Requests made in advance may have failed in an outage that has ended since.
        self._answers.begin_again(RetriesExhausted)
        answer = next(self._answers)
        if answer.window.days > 0:
            yield from self._account(state, answer)
        run.planner.anomalies.report(answer.account.findings)

    def _account(self, state: AccountState, answer: _Answer) -> Iterator[list[Month]]:
        run, planner = self._run, self._run.planner
        asked_since, earlier = planner.asked_since(state), planner.earlier_days(state)
        state.asked_since = (state.asked_since or state.first_day) if earlier else asked_since
        self._warn(state, answer)
        state.first_expected = answer.first_expected
        state.price_units = sorted(
            {*state.price_units, *(each.price_unit for each in answer.months)}
        )
        missing = [each.days for each in self._closed(answer.months) if each.is_missing]
        last_read = MONTHLY.first(answer.window.end + DAY) - DAY  # the end of a whole month
        read = Window(answer.window.start, last_read)
        others = without(
            [*state.missing_days, *planner.skipped_days(state, answer.window)],
            read,
        )
        state.missing_days = merged([*missing, *others])
        state.logged_days = merged([*missing, *without(state.logged_days, read)])
        state.begin(answer.window.start)
        run.save(None)
        for start, months in groupby(answer.months, key=lambda month: month.days.start):
            rows = list(months)
            yield rows
            if any(row.is_reported for row in rows):
                state.advance(start)
            run.save(len(rows))
        # Only now, so that a run that ends before reads the months again that it was to add.
        if earlier and earlier.end <= answer.window.end:
            state.asked_since = asked_since
        planner.logger.info(
            "%s: compared %s with their days", state.name, count(len(answer.months), "month")
        )

    def _warn(self, state: AccountState, answer: _Answer) -> None:
        """Log each closed month that does not reconcile, unless an earlier run logged the same."""
        logger, today = self._run.planner.logger, self._run.planner.today
        window, first_expected = answer.window, answer.first_expected
        if not answer.months:
            is_normal = (first_expected or window.start) >= min(window.end + DAY, today)
            (logger.info if is_normal else logger.warning)(
                "%s: Twilio has no totalprice for any day or month of %s; the next run asks again",
                state.name,
                window,
            )
        elif answer.creation_is_unknown and window.start < answer.months[0].days.start:
            logger.warning(
                "%s: Twilio has no totalprice for %s; whether the account existed then cannot be "
                "read with these credentials",
                state.name,
                Window(window.start, answer.months[0].days.start - DAY),
            )
        logged, state.logged_months = state.logged_months, []
        for month in self._closed(answer.months):
            is_known = any(month.days.start in window for window in state.logged_days)
            if month.reconciles or (month.is_missing and is_known):
                continue
            state.logged_months.append(f"{month}")
            if f"{month}" not in logged:
                logger.warning(
                    "%s: Twilio's days and month do not agree, though asked twice: %s",
                    state.name,
                    month,
                )

    def _item(self, context: AccountContext) -> _Item:
        """Prepare the state for reading the account. Runs on the main thread only."""
        state = subaccount_switch.prepare(self._run, context)
        main_sid = self._run.main(state).sid
        since = subaccount_switch.first_day_of_all(self._run.state.partitions, main_sid)
        return _Item(state, since)

    def _fetch(self, item: _Item) -> _Answer:
        """Fetch the days and months of an account; ask once more for what does not reconcile."""
        planner, state = self._run.planner, item.state
        account = self._run.account(state.context.account_sid) or self._run.main(state)
        earlier = planner.earlier_days(state)
        is_first = planner.bookmark(state) is None or earlier is not None
        first_day = planner.settings.first_day(planner.today)
        first_day = min(first_day, item.since or first_day)
        begins, created, _ = (
            fetch_first_day(account, first_day) if is_first else FirstDay(None, None)
        )
        days = planner.days(state, account.sid, since=item.since, begins=begins)
        window = self._window(state, days, earlier, begins)
        unknown = is_first and created is None
        if window.days < 1:
            return _Answer(account, window, [], state.first_expected, unknown)
        first_expected = min(
            filter(None, (state.first_expected, created and created + DAY)), default=None
        )
        found, first_expected = self._ask(account, window, state, first_expected)
        doubtful = [each.days for each in self._closed(found) if not each.reconciles]
        if doubtful:
            again = Window(doubtful[0].start, doubtful[-1].end)
            newer, first_expected = self._ask(account, again, state, first_expected)
            answered = {each.days.start for each in newer}
            found = sorted([*newer, *(each for each in found if each.days.start not in answered)])
        return _Answer(account, window, found, first_expected, unknown)

    def _window(
        self, state: AccountState, days: Window, earlier: Window | None, begins: date | None
    ) -> Window:
        """Return the days to read, which begin with a month; an empty window if there are none."""
        first = MONTHLY.first(max(earlier.start, begins or earlier.start)) if earlier else LATEST
        if days.days < 1:  # end_date is before the lookback: only the earlier months are read
            return Window(first, min(days.end, earlier.end)) if earlier else days
        since = self._run.planner.since(state)
        missing = [each.start for each in state.missing_days if each.end >= since]
        starts_on = [first, days.start, *(max(since, start) for start in missing)]
        return Window(MONTHLY.first(min(starts_on)), days.end)

    def _ask(
        self, account: Account, window: Window, state: AccountState, first_expected: date | None
    ) -> tuple[list[Month], date | None]:
        """Return the months of a window, and the first day that Daily has to list."""
        days = account.fetch_totals(DAILY, window)
        months = account.fetch_totals(MONTHLY, window)
        first_expected = min(filter(None, (first_expected, min(days, default=None))), default=None)
        found = compared(
            window, days, months, first_expected=first_expected, price_units=state.price_units
        )
        return found, first_expected

    def _closed(self, months: list[Month]) -> list[Month]:
        """Return the months that are over, and that `end_date` does not cut off."""
        planner = self._run.planner
        last_day = planner.settings.last_day(planner.today)
        return [
            each for each in months if each.days.end <= last_day and each.days.end < planner.today
        ]

    def _withdraw(self, state: AccountState) -> Iterator[list[Month]]:
        """Yield months of zeros, to overwrite every row of a subaccount in the target.

        Its money is now in the rows of the main account, or excluded.
        """
        run = self._run
        first = state.first_day or date.max
        last = max(first, state.last_loaded_day() or first)
        subaccount_switch.begin_to_withdraw(state)
        run.save(None)
        run.planner.logger.info(
            "%s: setting its months %s to zero", state.name, Window(first, last)
        )
        for period in Window(first, last).split(1, MONTHLY):
            whole = MONTHLY.period(period.start)
            yield [zero(whole, each) for each in state.price_units]
        state.withdrawn = max(run.planner.last_period, last)
