"""Checks that the accounts that Twilio lists have all the spend: the list may leave one out.

Twilio's own months of the main account with all its subaccounts must not have more spend than the
months of the listed accounts together. Once a month, for all months that were loaded since. Pure,
but for these requests and the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal, localcontext
from itertools import chain

from tap_twilio_usage.logs.wording import some
from tap_twilio_usage.money.amounts import EXACT, ZERO
from tap_twilio_usage.money.dedup import ROUNDING_OF_A_ROW
from tap_twilio_usage.money.usage_record import Amounts, Totals
from tap_twilio_usage.sync.run import Account, Company, Run
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.periods import MONTHLY, Window, merged
from tap_twilio_usage.twilio.threads import InOrder
from tap_twilio_usage.twilio.usage_records import Reported

Sums = dict[str, Amounts]


class AllAccounts:
    """The comparison of one run; it does nothing if an earlier run of this month has made it."""

    def __init__(self, run: Run, company: Company, *, has_histories: bool = True) -> None:
        """Take the run, and whether it fetches the history of each account; make no request yet."""
        self._run = run
        self._company = company
        self._together = company.together if company.listed else None
        self._days = self._to_compare()
        self._whole: Sums | None = None
        self._reads_all = len(company.accounts) == len(company.listed)
        self._unreadable: list[str] = []  # of the accounts that are excluded
        self._has_histories = has_histories and self._reads_all

    def begin(self) -> None:
        """Fetch the history of all accounts together: before those of each, which only grow."""
        if self._together and self._days and self._has_histories:
            try:
                self._whole = _sums([self._together.fetch_all_time()])
            except ApiError as error:
                self._cannot_compare(error)

    def end(self) -> None:
        """Log the months in which all accounts together have more spend than those listed.

        The state must be written afterwards.
        """
        state, together, days = self._run.state, self._together, self._days
        if not self._company.together:
            # What is loaded without a comparison is compared later.
            state.compared.pop(self._company.main.sid, None)
        if not together or not days:
            return
        try:
            missing = {} if self._is_equal() else self._fetch_missing(together, days)
        except ApiError as error:
            self._cannot_compare(error)
            return
        compared = state.compared.get(together.sid)
        state.compared[together.sid] = Window(min(days.start, *(compared or days)), days.end)
        if missing:
            self._log(missing, together.sid)

    def _log(self, missing: Mapping[date, Decimal], sid: str) -> None:
        months = some([*map(str, merged(map(MONTHLY.period, missing)))])
        difference, logger = f"{_sum(missing.values()):,f}", self._run.planner.logger
        if self._unreadable:
            logger.info(
                "%s: with all its subaccounts, its spend in %s is %s more than that of the "
                "accounts that can be read; excluded accounts that cannot be read: %s",
                *(sid, months, difference, some(self._unreadable)),
            )
            return
        logger.warning(
            "%s: with all its subaccounts, its spend in %s is %s more than that of the "
            "accounts that Twilio lists: it leaves out an account, such as one that was closed "
            "more than 30 days ago, which is loaded only as far as earlier runs did",
            *(sid, months, difference),
        )

    def _to_compare(self) -> Window | None:
        """Return the days to compare, which begin with a month; None if there are none."""
        planner = self._run.planner
        compared = self._run.state.compared.get(self._company.main.sid)
        today, start = planner.today, planner.settings.start_date
        if compared is None:
            loaded = (partition.first_day for partition in self._run.state.partitions)
            first = min(filter(None, (planner.settings.first_day(today), *loaded)))
        elif start and MONTHLY.first(start) < compared.start:
            first = start
        elif MONTHLY.first(today) == MONTHLY.first(compared.end):
            return None
        else:
            first = compared.end
        return Window(MONTHLY.first(min(first, today)), today)

    def _is_equal(self) -> bool:
        """Return whether the histories say that no account is left out."""
        accounts = self._company.accounts.values()
        return self._whole is not None and self._whole == _sums(
            each.fetch_all_time() for each in accounts
        )

    def _fetch_missing(self, together: Account, days: Window) -> dict[date, Decimal]:
        """Return what the listed accounts lack, by month."""
        listed = self._company.listed
        whole = together.fetch_totals(MONTHLY, days)  # before those of each, which only grow

        def months(account: Account) -> Totals:
            try:
                return account.fetch_totals(MONTHLY, days)
            except ApiError:
                if account.sid in self._company.accounts:
                    raise
                return {}

        parts = [*InOrder(months, listed, self._run.max_requests)]
        self._unreadable = [
            account.sid
            for account, part in zip(listed, parts, strict=True)
            if not part and account.sid not in self._company.accounts
        ]
        used = {month for part in parts for month, total in part.items() if total.price}
        if lacking := sorted(used - whole.keys()):
            raise ApiError(
                f"Twilio has no record of {lacking[0]:%Y-%m} of {together.sid} with its subaccounts"
            )
        missing = {}
        for month, total in whole.items():
            of_each = _sum(part[month].price or ZERO for part in parts if month in part)
            with localcontext(EXACT):
                difference = (total.price or ZERO) - of_each
            if difference > ROUNDING_OF_A_ROW * (len(listed) + 1):
                missing[month] = difference
        return missing

    def _cannot_compare(self, error: ApiError) -> None:
        self._together = None
        self._run.planner.logger.warning(
            "whether Twilio lists all accounts cannot be checked; the next run tries again: %s",
            error,
        )


def _sums(histories: Iterable[Iterable[Reported]]) -> Sums:
    """Return the count, usage and price of each category; an account may have spent nothing."""
    sums: Sums = {}
    with localcontext(EXACT):
        for each in chain.from_iterable(histories):
            if each.amounts:
                count, usage, price = sums.get(each.category, (ZERO, ZERO, ZERO))
                more_count, more_usage, more_price = each.amounts
                sums[each.category] = (count + more_count, usage + more_usage, price + more_price)
    return sums


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    with localcontext(EXACT):
        return sum(amounts, ZERO)
