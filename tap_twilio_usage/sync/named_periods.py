"""The records of a resource with one period, such as `LastMonth`, compared with Twilio's own days.

A stream of such a resource reads no days, so what its period lacks would be missing in silence. The
newest days may be in only one of the two for a while. One small request for an account with spend;
nothing is asked for others, nor for an AllTime with spend.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, localcontext
from typing import NamedTuple

from tap_twilio_usage.logs.wording import Logger, some
from tap_twilio_usage.money.amounts import EXACT, ZERO
from tap_twilio_usage.money.dedup import ROUNDING_OF_A_ROW
from tap_twilio_usage.money.hierarchy import TOTAL, normalise
from tap_twilio_usage.money.usage_record import Periods, Totals, spend
from tap_twilio_usage.sync.account import Account
from tap_twilio_usage.sync.difference import NEW
from tap_twilio_usage.sync.endpoints import Endpoints, Unanswered
from tap_twilio_usage.sync.run import Run
from tap_twilio_usage.twilio.errors import ApiError, NotFound
from tap_twilio_usage.twilio.periods import (
    ALL_TIME,
    DAILY,
    DAY,
    YEARLY,
    Granularity,
    Window,
    named_days,
)


class NamedPeriod(NamedTuple):
    """The records of a period, and the spend of its days if the period does not have it.

    `may_be_late`: what it lacks is no more than the newest days have.
    """

    records: Periods
    of_days: Decimal | None = None
    may_be_late: bool = False

    @property
    def own(self) -> Decimal:
        """The spend of the period."""
        rows = (row for rows in self.records.values() for row in rows)
        return _sum(row.price for row in rows if normalise(row.category) == TOTAL)


def fetch_named_period(run: Run, account: Account) -> NamedPeriod:
    """Return the records, which are asked for once more if they lack spend. Raises ApiError."""
    period, granularity = NamedPeriod(run.fetch_current_usage(account)), run.planner.granularity
    try:
        totals = _fetch_totals(run, account, period)
        if _lacks_spend(run, period, totals):
            if not run.planner.is_over(named_days(granularity, run.planner.today)):
                today = Window(run.planner.today, run.planner.today)
                totals = {**totals, **run.endpoints.fetch_totals(account, DAILY, today)}
            again = account.fetch_current_usage(granularity)
            period = NamedPeriod(again) if again.keys() == period.records.keys() else period
            if _lacks_spend(run, period, totals):
                return period._replace(of_days=spend(totals))
        _check_days(run, account, totals)
        is_today_only = totals.keys() == {run.planner.today}  # which grows with every request
        if not is_today_only and _lacks_spend(run, period, totals, even_if_late=True):
            return period._replace(of_days=spend(totals), may_be_late=True)
    except Unanswered:
        pass
    except ApiError as error:
        run.planner.logger.info(
            "%s: whether Twilio's %s has the spend of its days cannot be checked; the next run "
            "tries again: %s",
            *(account.sid, granularity.resource, error),
        )
    return period


class WithoutSpend:
    """The accounts whose period does not have the spend of its days, until they are logged."""

    def __init__(self, granularity: Granularity) -> None:
        """Take the resource."""
        self._resource = granularity.resource
        self._found: list[str] = []
        self._late: list[str] = []

    def note(self, account: Account, period: NamedPeriod) -> None:
        """Note the account if its period does not have the spend of its days."""
        if period.of_days is not None:
            amounts = f"{period.own:,f} instead of {period.of_days:,f}"
            found = self._late if period.may_be_late else self._found
            found.append(f"{account.sid} ({amounts})")

    def log(self, logger: Logger) -> None:
        """Log the accounts."""
        if self._late:
            logger.info(
                "Twilio's %s does not have the spend of its days yet: %s",
                *(self._resource, some(self._late)),
            )
        if self._found:
            logger.warning(
                "Twilio's %s does not have the spend of its days: %s; it is loaded as Twilio sends "
                "it, and the next run asks again",
                *(self._resource, some(self._found)),
            )


def _fetch_totals(run: Run, account: Account, period: NamedPeriod) -> Totals:
    """Return the totals that the period has to have; none if there is nothing to compare.

    They are those of its days that are over, or of today if it has just begun; of AllTime, if that
    has no spend, those of this year and at its beginning of the one before.
    """
    endpoints, granularity, today = run.endpoints, run.planner.granularity, run.planner.today
    if granularity is ALL_TIME:
        years = Window(YEARLY.first(today - 31 * DAY), today)
        is_in_doubt = period.records and not period.own
        return endpoints.fetch_totals(account, YEARLY, years) if is_in_doubt else {}
    days = named_days(granularity, today)
    is_used = any(each.amounts for each in account.fetch_all_time())
    if not is_used or not period.records:
        return {}
    if days.start not in period.records:  # such as at midnight
        raise ApiError(f"it begins on {min(period.records)}, and not on {days.start}")
    days = Window(days.start, max(days.start, min(days.end, today - DAY)))
    try:
        return _fetch_days(endpoints, account, days)
    except NotFound:  # it begins before the account was created, or has just begun
        created = endpoints.fetch_date_created(account)
        if days.start == today or (created and created > days.end):
            return {}
        if created is None or created <= days.start:
            raise
        return _fetch_days(endpoints, account, Window(created, days.end))


def _fetch_days(endpoints: Endpoints, account: Account, days: Window) -> Totals:
    """Return the totals of the days. Raises ApiError, also if there are none."""
    if totals := endpoints.fetch_totals(account, DAILY, days, at_once=True):
        return totals
    raise NotFound(f"Twilio has no total for {days}")


def _check_days(run: Run, account: Account, totals: Totals) -> None:
    """Raise ApiError if Twilio does not have all days of the totals: the period may lack them."""
    today, granularity = run.planner.today, run.planner.granularity
    whole = named_days(granularity, today)
    days = Window(whole.start, min(whole.end, today - DAY)).split(1, DAILY)
    lacking = [day.start for day in days if day.start not in totals]
    if totals and lacking and granularity is not ALL_TIME:
        created = run.endpoints.fetch_date_created(account) or min(totals)
        if lacking[-1] >= created:
            raise NotFound(f"Twilio has no total for {lacking[-1]}")


def _lacks_spend(
    run: Run, period: NamedPeriod, totals: Totals, *, even_if_late: bool = False
) -> bool:
    """Return whether the period lacks some of the totals; if it is over, also what it has more.

    That of the newest days may come later.
    """
    if not totals:
        return False
    planner, new = run.planner, run.planner.today - NEW
    whole = planner.granularity.period(min(period.records, default=planner.today))
    with localcontext(EXACT):
        difference = spend(totals) - period.own
        may_differ = ROUNDING_OF_A_ROW * (len(totals) + 1)
        if period.own and not even_if_late:
            may_differ += _sum(abs(row.price or ZERO) for day, row in totals.items() if day > new)
    is_whole = planner.is_over(whole) or not period.own
    return (abs(difference) if is_whole else difference) > may_differ


def _sum(prices: Iterable[Decimal | None]) -> Decimal:
    with localcontext(EXACT):
        return sum((price or ZERO for price in prices), ZERO)
