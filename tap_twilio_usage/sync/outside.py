"""What Twilio has of an account outside of its loaded days, by small requests of totals."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, localcontext

from tap_twilio_usage.money.amounts import EXACT, ZERO
from tap_twilio_usage.money.dedup import ROUNDING_OF_A_ROW
from tap_twilio_usage.money.usage_record import Totals, spend
from tap_twilio_usage.sync.account import Account
from tap_twilio_usage.sync.difference import NEW
from tap_twilio_usage.sync.endpoints import Endpoints
from tap_twilio_usage.sync.plan import Planner
from tap_twilio_usage.sync.state import AccountState, History
from tap_twilio_usage.twilio.errors import ApiError, NotFound
from tap_twilio_usage.twilio.periods import DAILY, DAY, MONTHLY, YEARLY, Granularity, Window

TWILIO_BEGAN = date(2008, 1, 1)


class Outside:
    """What is outside of the days from the first one of a history to the last one that is read."""

    def __init__(
        self,
        account: Account,
        endpoints: Endpoints,
        state: AccountState,
        planner: Planner,
        last: date,
    ) -> None:
        """Take the account, its state with a history, and the last day that this run has read."""
        self._account = account
        self._endpoints = endpoints
        self._state = state
        self._planner = planner
        self._last = last
        self._is_fetched = False  # what is before the first day
        self._oldest: date | None = None  # the first day of the months that Twilio lists before
        self.after: dict[date, Decimal] = {}  # what the days have that end_date leaves out

    @property
    def _known(self) -> History:
        history = self._state.history
        assert history  # noqa: S101  (for the type checker)
        return history

    @property
    def rounding(self) -> Decimal:
        """The amount up to which two sums are equal."""
        return ROUNDING_OF_A_ROW * ((self._planner.today - self._known.first).days + 1)

    def more(self, left: Decimal) -> Decimal:
        """Return what AllTime has more than all days; `left` is how much more than those loaded.

        Raises ApiError, also if that cannot be known.
        """
        if self._known.before is None:
            self._known.before, self._is_fetched = self._fetch_before(left), True
        with localcontext(EXACT):
            more = left - self._known.before
        if more > self.rounding and not self._planner.reads_up_to_today:
            more = self._less_after_end(more)
        return self._less_older(more) if self._is_fetched else more

    def more_now(self, more: Decimal) -> Decimal:
        """Return it again: Twilio may have restated days before the first one. Raises ApiError."""
        before = self._known.before or ZERO
        if self._is_fetched:
            return more
        with localcontext(EXACT):
            self._known.before = self._fetch_before(before + more)
            more += before - self._known.before
        return self._less_older(more)

    def fetch_days(self, days: Window) -> Decimal:
        """Return what Twilio's days have that were loaded. Raises ApiError."""
        return spend(self._fetch_loaded(days))

    def fetch_earlier_days(self) -> tuple[date, Decimal]:
        """Return the first of the days that earlier runs have loaded, and what they have now.

        They are those after the last day that Twilio has and that no run has loaded. Raises
        ApiError.
        """
        first, missing = self._known.first, self._state.missing_days
        days = Window(min(first, self._state.first_rows or first), first - DAY)
        found = self._fetch_loaded(days)
        left_out = [day for day in found if any(day in each for each in missing)]
        start = self._planner.granularity.following(max(left_out)) if left_out else days.start
        return start, spend({day: each for day, each in found.items() if day >= start})

    def _fetch_totals(
        self, granularity: Granularity, days: Window, *, at_once: bool = False
    ) -> Totals:
        return self._endpoints.fetch_totals(self._account, granularity, days, at_once=at_once)

    def _fetch_loaded(self, days: Window) -> Totals:
        if days.days < 1:
            return {}
        granularity, missing = self._planner.granularity, self._state.missing_days
        found = self._fetch_totals(granularity, days, at_once=True)
        expected = {each.start for each in days.split(1, granularity)}
        lacking = sorted(
            day for day in expected - found.keys() if not any(day in each for each in missing)
        )
        if lacking:
            raise NotFound(f"Twilio has no total for {lacking[0]}, which was loaded")
        return found

    def _fetch_before(self, left: Decimal) -> Decimal:
        """Return what Twilio has before the first day, if `left` shows that it may have anything.

        Of the days that earlier runs have loaded, Twilio's months may have what the days lack.
        """
        first = self._known.first
        loaded = self.fetch_days(Window(self._state.first_rows or first, first - DAY))
        created = self._endpoints.fetch_date_created(self._account)
        with localcontext(EXACT):
            if created is None:
                is_all = left - loaded <= self.rounding
                return loaded if is_all else loaded + spend(self._fetch_months(self._asked_since))
            month = MONTHLY.first(self._asked_since)
            days = self._fetch_days_of_month(max(created, month), self._asked_since)
            before = loaded + spend(days)
            if created < month:
                before += spend(self._fetch_totals(MONTHLY, Window(created, month - DAY)))
            return before

    def _less_older(self, more: Decimal) -> Decimal:
        """Return it without usage that takes more requests to find, if there may be any.

        That is usage of subaccounts from before the main account was created. If the creation
        cannot be read, it is that of the month of the creation: Twilio may answer 404 for a month
        in which an account was created, though not for its days.
        """
        if more <= self.rounding:
            return more
        first = self._asked_since
        if created := self._endpoints.fetch_date_created(self._account):
            is_alone = not self._account.includes_subaccounts
            older = {} if is_alone else self._fetch_months(min(created, first))
        else:
            last = (self._oldest or first) - DAY
            older = self._fetch_totals(DAILY, Window(MONTHLY.first(last), last))
        with localcontext(EXACT):
            self._known.before = (self._known.before or ZERO) + spend(older)
            return more - spend(older)

    def _less_after_end(self, more: Decimal) -> Decimal:
        """Return it without what Twilio has after `end_date`."""
        planner, new = self._planner, self._planner.today - NEW
        days = Window(self._last + DAY, planner.today)
        # Without any old day, a 404 may be of those that have just begun.
        after = self._fetch_totals(DAILY, days, at_once=days.start <= new)
        with localcontext(EXACT):
            more -= spend(after)
        self.after = {day: each.price or ZERO for day, each in after.items()}
        old = Window(days.start, new).split(1, DAILY)
        if more > self.rounding and any(each.start not in after for each in old):
            raise ApiError("Twilio does not list all days after end_date")
        return more

    @property
    def _asked_since(self) -> date:
        """The first day that was ever to be loaded, which may have no record."""
        return min(self._known.first, self._state.asked_since or self._known.first)

    def _fetch_days_of_month(self, start: date, first: date) -> Totals:
        """Return the days from `start` that are before `first`, in the same month.

        How Twilio cuts a month at the end of a range is not documented.
        """
        days = Window(start, first - DAY)
        return self._fetch_totals(DAILY, days) if days.days > 0 else {}

    def _fetch_months(self, first: date) -> Totals:
        """Return the months before a day, back to the first year that Twilio does not list."""
        first, day = MONTHLY.first(first), first
        months = {**self._fetch_days_of_month(first, day)}
        self._oldest = first
        while first > TWILIO_BEGAN:
            year = Window(YEARLY.first(first - DAY), first - DAY)
            found = self._fetch_totals(MONTHLY, year)
            if not found:
                break
            months |= found
            self._oldest = min(found)
            first = year.start
        return months
