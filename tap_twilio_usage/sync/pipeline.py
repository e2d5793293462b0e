"""One run of usage records, from Twilio's responses to de-duplicated rows.

For each account, for each period in order: fetch, check, filter, deduplicate, emit, move the
bookmark. The caller emits the rows. Requests are made in advance (see `prefetch`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from tap_twilio_usage.logs.progress import Progress
from tap_twilio_usage.money.enrich import attribute, total
from tap_twilio_usage.money.usage_record import UsageRecord
from tap_twilio_usage.sync import subaccount_switch
from tap_twilio_usage.sync.all_accounts import AllAccounts
from tap_twilio_usage.sync.category_filter import CategoryFilter
from tap_twilio_usage.sync.category_gaps import CategoryGaps
from tap_twilio_usage.sync.empty_periods import EmptyPeriods
from tap_twilio_usage.sync.included_subaccounts import IncludedSubaccounts
from tap_twilio_usage.sync.missing_days import MissingDays
from tap_twilio_usage.sync.named_periods import WithoutSpend
from tap_twilio_usage.sync.prefetch import Prefetch, Queue
from tap_twilio_usage.sync.remainders import Remainders
from tap_twilio_usage.sync.run import Run
from tap_twilio_usage.sync.state import AccountContext, AccountState
from tap_twilio_usage.sync.unnamed_subaccounts import UnnamedSubaccounts
from tap_twilio_usage.sync.whole_life import WholeLife
from tap_twilio_usage.twilio.periods import ALL_TIME, Window, merged, without

Rows = list[UsageRecord]


class Pipeline:
    """Reads the usage records of one granularity, account by account."""

    def __init__(self, run: Run, progress: Progress) -> None:
        """Take the run; make no request yet."""
        self._run = run
        self._progress = progress
        self._all_accounts = [AllAccounts(run, company) for company in run.companies]
        self._empty = EmptyPeriods(run.planner.granularity, run.planner.today)
        self._without_spend = WithoutSpend(run.planner.granularity)

    def begin(self) -> list[AccountContext]:
        """Return the contexts to pass to `rows`, in this order; make no request yet."""
        run = self._run
        if not run.planner.granularity.is_named_period:
            run.begin()
        withdrawn, to_read = subaccount_switch.contexts(run)
        self._queue = Queue(run, to_read)
        self._progress.accounts = len(to_read)
        run.write_state()
        self._contexts = [*withdrawn, *to_read]
        return self._contexts

    def end(self) -> None:
        """Note that all rows of all accounts have been emitted."""
        for each in self._all_accounts:
            each.end()
        UnnamedSubaccounts(self._run).end()
        IncludedSubaccounts(self._run).end()
        self._run.end(self._contexts)

    def rows(self, context: AccountContext) -> Iterator[Rows]:
        """Yield the rows to emit of one account, a period at a time. Raises ApiError.

        The caller must emit a period before it takes the next one.
        """
        run, state = self._run, self._run.state.of(context)
        is_read = run.account(context.account_sid) is not None
        for rows in self._account(state) if is_read else subaccount_switch.withdraw(run, state):
            for row in rows:
                row.account_sid = context.account_sid
                row.includes_subaccounts = context.includes_subaccounts
            yield rows

    def summarize(self) -> None:
        """Log, after all accounts, what a resource such as `Today` has not of which of them."""
        self._empty.log(self._run.planner.logger)
        self._without_spend.log(self._run.planner.logger)

    def _account(self, state: AccountState) -> Iterator[Rows]:
        prefetch = self._queue.next()
        self._progress.next_account()
        account, planner = prefetch.account, self._run.planner
        if prefetch.state is not state:
            raise RuntimeError(f"{account.sid} was read instead of another account")
        categories = self._run.categories(account, state)
        if prefetch.is_unused:
            self._skip_unused_account(prefetch)
        elif planner.granularity.is_named_period:
            yield from self._named_period(prefetch, categories)
        elif prefetch.read_windows:
            yield from self._periods(prefetch, categories)
        planner.anomalies.report(account.findings)

    def _periods(self, prefetch: Prefetch, categories: CategoryFilter) -> Iterator[Rows]:
        """Yield the rows of one account, period by period. This is the core of the tap."""
        state, restatements = prefetch.state, prefetch.restatements
        before = subaccount_switch.days_before(state, prefetch.all_days.start)
        gaps = CategoryGaps(state, categories.used, self._run.planner)
        history = prefetch.account.fetch_all_time()
        remainders = Remainders(state, self._run.planner, history)
        created = prefetch.first_day.created if prefetch.first_day else None
        life = WholeLife(
            state,
            self._run.planner,
            prefetch.days,
            created=created,
            earlier=prefetch.earlier_days,
        )
        missing = self._start(prefetch, before)
        days = prefetch.read_windows[-1]
        self._progress.begin(prefetch.account, days, prefetch.read_days, prefetch.requests)
        for period in before.split(1, self._run.planner.granularity):
            yield subaccount_switch.zeros(self._run, state, period)
        for period, listed in self._fetched(prefetch):
            fetched = categories.add_withdrawn(listed, period.start)
            rows = _attributed(categories, gaps, period.start, listed, fetched)
            emitted = self._select(state, period.start, rows, categories)
            if not rows and (
                (prefetch.emits_again(period) and not missing.should_have_rows(period))
                or subaccount_switch.may_include_subaccounts(self._run, state, period)
            ):
                emitted = subaccount_switch.zeros(self._run, state, period)
            yield emitted
            life.note(period.start, total(rows))
            remainders.note(period, rows)
            missing.note(period, fetched)
            if self._run.emits_focus:
                state.days_without_focus = without(state.days_without_focus or [], period)
            if restatements:
                restatements.add(period.start, rows)
            if missing.may_advance:
                state.advance(period.start)
            self._run.save(len(emitted))
            self._progress.add(period, rows, len(emitted))
        missing.end(prefetch.all_days)
        remainders.end()
        endpoints = self._run.endpoints
        is_whole = life.end(prefetch.account, history, endpoints)
        gaps.end(prefetch.account, endpoints, is_whole=is_whole)
        self._progress.end()
        if restatements:
            restatements.record(period.start, rows, were_read=prefetch.reads_all_days)

    def _start(self, prefetch: Prefetch, before: Window) -> MissingDays:
        """Put into the state what has to be known before the first row goes out."""
        state, planner = prefetch.state, self._run.planner
        first = prefetch.all_days.start
        if earlier := prefetch.earlier_days:
            planner.logger.info("%s: start_date is earlier now: loading %s", state.name, earlier)
            state.missing_days = merged([*state.missing_days, earlier])
            first = min(first, earlier.start)
        skipped = planner.skipped_days(state, prefetch.all_days)
        state.missing_days = merged([*state.missing_days, *skipped])
        state.asked_since = min(planner.asked_since(state), first)
        state.begin(first)
        if not self._run.emits_focus:
            windows = [*([before] if before.days > 0 else []), *prefetch.read_windows]
            state.note_days_without_focus(windows)
        if prefetch.restatements and prefetch.may_be_restated:
            prefetch.restatements.forget()
        self._run.save(None)
        return MissingDays(
            state,
            planner,
            first_day=prefetch.first_day,
            has_spend=any(reported.amounts for reported in prefetch.account.fetch_all_time()),
        )

    def _fetched(self, prefetch: Prefetch) -> Iterator[tuple[Window, Rows]]:
        """Yield every period in order, with its checked records: one of each category."""
        granularity = self._run.planner.granularity
        for window, answer in self._queue.answers(prefetch):
            for period in window.split(1, granularity):
                yield period, answer.get(period.start, [])

    def _named_period(self, prefetch: Prefetch, categories: CategoryFilter) -> Iterator[Rows]:
        """Yield the rows of the single period of a resource such as `Today`."""
        state = prefetch.state
        gaps = CategoryGaps(state, categories.used, self._run.planner)
        remainders = Remainders(state, self._run.planner, prefetch.account.fetch_all_time())
        if not prefetch.named.records:
            self._empty.note(prefetch.account, state)
        self._without_spend.note(prefetch.account, prefetch.named)
        for day, listed in prefetch.named.records.items():
            period = Window(day, listed[0].end_date)
            self._progress.begin(prefetch.account, period, period.days, 1)
            if self._run.planner.granularity is ALL_TIME:
                yield from self._moved_history(state, day)
            state.begin(day)
            state.last_rows = max(state.last_rows or day, day)
            self._run.save(None)
            fetched = categories.add_withdrawn(listed, None)
            rows = _attributed(categories, gaps, day, listed, fetched)
            emitted = self._select(state, day, rows, categories)
            yield emitted
            remainders.note(period, rows)
            self._progress.add(period, rows, len(emitted))
            self._progress.end()
        remainders.end()
        gaps.end(prefetch.account, self._run.endpoints, is_whole=False)
        state.catch_up_to = None

    def _moved_history(self, state: AccountState, day: date) -> Iterator[Rows]:
        """Yield zeros for the whole history of an account as it was loaded from another first day.

        The first day is part of the key, so the target would have the same money twice.
        """
        loaded = state.first_days or filter(None, [state.first_day])
        for before in sorted({*loaded} - {day}):
            yield subaccount_switch.zeros(self._run, state, Window(before, before))
        state.first_days = [day]

    def _skip_unused_account(self, prefetch: Prefetch) -> None:
        """Move the bookmark of an account that has never used anything; read none of its days."""
        planner, state, days = self._run.planner, prefetch.state, prefetch.all_days
        planner.logger.info("%s has never used anything; skipped", state.name)
        if days.days > 0:
            skipped = planner.skipped_days(state, days)
            state.missing_days = merged([*state.missing_days, *skipped])
            state.asked_since = planner.asked_since(state)
            state.begin(days.start)
            state.advance(planner.granularity.first(days.end))

    def _select(
        self, state: AccountState, day: date, rows: Rows, categories: CategoryFilter
    ) -> Rows:
        """Return the rows of a period to emit, after writing a state with their categories."""
        self._run.planner.anomalies.check_period(day, rows)
        selected = categories.select(rows)
        if categories.record():
            self._run.save_categories(state)
        return selected


def _attributed(
    categories: CategoryFilter, gaps: CategoryGaps, day: date, listed: Rows, fetched: Rows
) -> Rows:
    """Return the rows of a period with their shares, after noting which categories it lists.

    `fetched` are the `listed` rows, and after them those of withdrawn categories.
    """
    kept = categories.drop_unused(fetched)
    gaps.note(day, kept, withdrawn=fetched[len(listed) :])
    return attribute(kept, fetched)
