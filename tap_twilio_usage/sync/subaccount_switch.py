"""Replaces rows in the target after a change of the setting `subaccounts`.

The same money is in the rows of the main account (`rolled_up`) or in those of each account
(`separate`). After a change, every row of the old choice has to be overwritten: rows with the same
key by new ones, rows of subaccounts by zeros.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from tap_twilio_usage.money.enrich import attribute
from tap_twilio_usage.money.usage_record import UsageRecord, zero
from tap_twilio_usage.sync.account import Account
from tap_twilio_usage.sync.run import MANY_ACCOUNTS, Company, Run
from tap_twilio_usage.sync.state import AccountContext, AccountState, BilledDays
from tap_twilio_usage.twilio.periods import ALL_TIME, DAY, LATEST, Window, merged, without


def contexts(run: Run) -> tuple[list[AccountContext], list[AccountContext]]:
    """Return the subaccounts whose rows are set to zero, which come first, and those to read.

    The main account comes before its subaccounts: as long as its rows in the target may include
    subaccounts, the target must not have rows of these. The state must be written before any row.
    """
    accounts, withdrawn = list[Account](), list[AccountState]()
    for company in run.companies:
        accounts += _to_read(run, company)
        withdrawn += _to_withdraw(run, company)
    # A subaccount may have a connection of its own, so that its main account is not known.
    states = run.state.partitions
    holding = {
        state.context.account_sid
        for state in states
        if not state.main_account_sid and _holds_subaccounts(state)
    }
    accounts.sort(key=lambda each: each.includes_subaccounts or each.sid not in holding)
    to_read = [AccountContext(each.sid, each.includes_subaccounts) for each in accounts]
    if max(len(to_read), len(states)) > MANY_ACCOUNTS:
        _register(run, withdrawn, to_read)
    return [state.context for state in withdrawn], to_read


def _to_read(run: Run, company: Company) -> list[Account]:
    accounts, main = list(company.accounts.values()), company.main
    if main not in accounts and holds_subaccounts(run.state.partitions, main.sid):
        run.planner.logger.info(
            "%s: rows in the target include subaccounts; reading them again without", main.sid
        )
        return [main, *accounts]
    return accounts


def _to_withdraw(run: Run, company: Company) -> list[AccountState]:
    if company.separates:
        return []
    found = to_withdraw(
        run.state.partitions,
        company.main.sid,
        with_focus=run.planner.settings.focus,
        # An interrupted run may have emitted FOCUS rows of accounts whose state has none.
        focus_is_unknown=run.state.billed_up_to is not None,
    )
    return [state for state in found if run.company(state.context.account_sid) is None]


def _register(run: Run, withdrawn: list[AccountState], to_read: list[AccountContext]) -> None:
    """Note at once what the state of each account must say before its first row is emitted.

    With thousands of accounts, a STATE for each one would be larger than all records.
    """
    for state in withdrawn:
        begin_to_withdraw(state)
    chosen = {*to_read}
    others = {each.context for each in run.state.partitions if each.context not in chosen}
    changed = {context.account_sid for context in others}
    for context in to_read:
        if context.account_sid in changed:
            prepare(run, context)
        elif not run.planner.granularity.is_named_period:
            _begin_new(run, run.state.of(context))


def _begin_new(run: Run, state: AccountState) -> None:
    if state.first_day is None:
        state.begin(run.planner.asked_since(state))
        _note_main_account(run, state)


def _note_main_account(run: Run, state: AccountState) -> bool:
    """Put the main account of a subaccount into its state; return whether it is a subaccount."""
    main = run.main(state)
    if state.context.account_sid == main.sid:
        return False
    state.main_account_sid = main.sid
    return True


def prepare(run: Run, context: AccountContext) -> AccountState:
    """Return the state of an account that will be read, after taking over that of its others."""
    state, planner = run.state.of(context), run.planner
    planner.reset_future_bookmark(state, state.name)
    today = planner.granularity.first(planner.today)
    state.missing_days = without(state.missing_days, Window(today, LATEST))
    state.logged_days = without(state.logged_days, Window(today, LATEST))
    take_over(state, run.state.partitions, planner.last_period)
    if (
        _note_main_account(run, state)
        and state.bookmark is None
        and not planner.granularity.is_named_period
    ):
        state.catch_up(planner.last_period)
    return state


def take_over(state: AccountState, states: list[AccountState], last_day: date) -> None:
    """Merge the states of the account's other contexts into its state, and remove them.

    Their rows in the target have the same keys. So the account continues with their categories and
    their first day, and reads all days again, at least up to `last_day`.
    """
    others = [
        other
        for other in states
        if other is not state and other.context.account_sid == state.context.account_sid
    ]
    for other in others:
        states.remove(other)
        if began := other.first_day or other.bookmark:
            state.begin(began)
            state.bookmark = None
            state.catch_up(max(filter(None, (last_day, other.bookmark, other.catch_up_to))))
            used = {*(state.used_categories or ()), *(other.used_categories or ())}
            state.used_categories = sorted(used) or None
            state.price_units = sorted({*state.price_units, *other.price_units})
            state.missing_days = merged([*state.missing_days, *other.missing_days])
            state.first_rows = min(filter(None, (state.first_rows, other.first_rows)), default=None)
            state.first_days = sorted({*state.first_days, *other.first_days})
            state.listed_since = other.listed_since | state.listed_since
            state.logged_gaps = other.logged_gaps | state.logged_gaps
            if other.billed is not None:
                state.billed = BilledDays()


def holds_subaccounts(states: Iterable[AccountState], account_sid: str) -> bool:
    """Return whether rows of the account in the target may include subaccounts."""
    return any(
        _holds_subaccounts(state) for state in states if state.context.account_sid == account_sid
    )


def _holds_subaccounts(state: AccountState) -> bool:
    is_loaded_with_them = state.first_day is not None and state.context.includes_subaccounts
    return state.catch_up_to is not None or is_loaded_with_them


def first_day_of_all(states: Iterable[AccountState], main_account_sid: str) -> date | None:
    """Return the first day that was ever read of the main account or one of its subaccounts."""
    days = (
        state.first_day
        for state in states
        if main_account_sid in (state.context.account_sid, state.main_account_sid)
    )
    return min(filter(None, days), default=None)


def to_withdraw(
    states: Iterable[AccountState],
    main_account_sid: str,
    *,
    with_focus: bool = False,
    focus_is_unknown: bool = False,
) -> list[AccountState]:
    """Return the states of the main account's subaccounts whose rows have to be set to zero."""
    return [
        state
        for state in states
        if state.main_account_sid == main_account_sid
        and state.first_day
        and (
            state.bookmark
            or not state.withdrawn
            or (with_focus and (focus_is_unknown or state.billed is not None))
            or state.is_partly_withdrawn
        )
    ]


def begin_to_withdraw(state: AccountState) -> None:
    """Move the bookmark to `last_day`, before the first row is set to zero.

    After a change back, all days of the subaccount are then read again.
    """
    if state.bookmark:
        state.last_day = max(state.bookmark, state.last_day or state.bookmark)
        state.bookmark = None


def withdraw(run: Run, state: AccountState) -> Iterator[list[UsageRecord]]:
    """Yield zero rows, a period at a time, to overwrite every row of a subaccount in the target.

    Its money is now in the rows of the main account, or excluded. For a resource with a single
    period, such as `Today`, only the current period of the main account is overwritten.
    """
    granularity, sid = run.planner.granularity, state.context.account_sid
    last_day = run.planner.settings.last_day(run.planner.today)
    first_day = state.first_day or date.max
    if granularity.is_named_period and granularity is not ALL_TIME:
        first_day = max(run.fetch_current_usage(run.main(state)), default=first_day)
    days = Window(first_day, max(first_day, last_day))
    periods = list(days.split(1, granularity))
    if granularity.is_named_period:
        periods = [Window(day, day) for day in state.first_days] or periods[:1]
    begin_to_withdraw(state)
    run.save(None)
    run.planner.logger.info("%s: setting its rows of %s to zero", sid, days)
    price_unit = next((each.price_unit for each in run.main(state).fetch_all_time()), None)
    for period in periods:
        yield zeros(run, state, period, price_unit)
    state.withdrawn = last_day


def may_include_subaccounts(run: Run, state: AccountState, period: Window) -> bool:
    """Return whether the target may have rows of the main account that include subaccounts.

    These must not stay beside the rows of the subaccounts, even if Twilio has no others.
    """
    context, last = state.context, state.catch_up_to
    is_alone = context.account_sid == run.main(state).sid and not context.includes_subaccounts
    return is_alone and last is not None and period.start <= last


def days_before(state: AccountState, first: date) -> Window:
    """Return the days that were loaded before the `first` one that is read after a change.

    They have rows of subaccounts that are older than the main account, which has none of its own.
    """
    if state.bookmark or not state.catch_up_to or not state.first_day:
        return Window(first, first - DAY)
    return Window(state.first_day, first - DAY)


def zeros(
    run: Run, state: AccountState, period: Window, price_unit: str | None = None
) -> list[UsageRecord]:
    """Return zero rows that overwrite those of the account in the target."""
    return attribute(
        zero(state.context.account_sid, category, period.start, period.end, price_unit)
        for category in sorted(run.emitted_categories(state))
    )
