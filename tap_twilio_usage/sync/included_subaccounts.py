"""Checks that a main account that includes its subaccounts has their spend.

Twilio has been seen to ignore IncludeSubaccounts. Then all of its sums agree, and the spend of
every subaccount is missing, or of some if it includes the others. So once a month, if there are
any, they are asked for their days, with one small request for each; and if these have spend, it is
compared with what the days of the account have more with subaccounts than without. Credentials
that cannot list them can only compare AllTime. Pure, but for these requests and the log.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from decimal import Decimal, localcontext

from tap_twilio_usage.logs.wording import some
from tap_twilio_usage.money.amounts import EXACT, ZERO
from tap_twilio_usage.money.dedup import ROUNDING_OF_A_ROW
from tap_twilio_usage.money.hierarchy import TOTAL, normalise
from tap_twilio_usage.money.usage_record import Totals, price_on
from tap_twilio_usage.sync.account import Account
from tap_twilio_usage.sync.difference import NEW
from tap_twilio_usage.sync.endpoints import Unanswered
from tap_twilio_usage.sync.once_a_month import days_to_compare
from tap_twilio_usage.sync.run import Company, Run
from tap_twilio_usage.twilio.errors import ApiError, Denied, NotFound
from tap_twilio_usage.twilio.periods import DAILY, Window, merged
from tap_twilio_usage.twilio.threads import InOrder
from tap_twilio_usage.twilio.usage_records import Reported


class IncludedSubaccounts:
    """The comparisons of one run; each does nothing if an earlier run of this month has made it."""

    def __init__(self, run: Run) -> None:
        """Take the run; make no request yet."""
        self._run = run

    def end(self) -> None:
        """Log the accounts that lack the spend of their subaccounts.

        The state must be written afterwards.
        """
        run, planner, compared = self._run, self._run.planner, self._run.state.inclusion_compared
        last = min(planner.settings.last_day(planner.today), planner.today - NEW)
        for company in run.companies:
            sid = company.main.sid
            if company.without_subaccounts is None:
                compared.pop(sid, None)  # what is loaded meanwhile is compared later
                continue
            if not (days := days_to_compare(run, compared.get(sid), last)):
                continue
            try:
                self._compare(company, company.without_subaccounts, days)
            except Unanswered:
                continue
            except ApiError as error:
                planner.logger.info(
                    "%s: whether its usage includes its subaccounts cannot be checked; the next "
                    "run tries again: %s",
                    *(sid, error),
                )
            else:
                compared[sid] = Window(min(days.start, *compared.get(sid, days)), days.end)

    def _compare(self, company: Company, without: Account, days: Window) -> None:
        """Compare an account, unless another stream has done so. Raises ApiError."""
        days = self._run.endpoints.fetch_existing(company.main, days)
        if days.days > 0 and not company.has_compared(days):
            self._log_missing(company, without, days)
            company.compared.append(days)

    def _log_missing(self, company: Company, without: Account, days: Window) -> None:
        """Log the spend of the days that is not included. Raises ApiError."""
        logger, main = self._run.planner.logger, company.main
        if company.fetch_subaccounts:
            if subaccounts := company.fetch_subaccounts():
                self._compare_with(subaccounts, main, without, days)
        # That with subaccounts was asked for before; that without them may have grown since.
        elif _spend(main.fetch_all_time()) <= _spend(without.fetch_all_time()):
            logger.info(
                "%s: Twilio's AllTime is the same with and without subaccounts; whether these have "
                "any spend can be known with an Auth Token only",
                main.sid,
            )

    def _compare_with(
        self, subaccounts: Collection[Account], main: Account, without: Account, days: Window
    ) -> None:
        """Log what the subaccounts have spent that is not included. Raises ApiError."""
        logger = self._run.planner.logger
        spent, unreadable = self._fetch_spend(subaccounts, days)
        if unreadable:
            logger.info(
                "%s: whether its usage in %s includes these subaccounts cannot be checked: %s",
                *(main.sid, days, some(unreadable)),
            )
        if not any(spent.values()):
            return
        whole, own = InOrder(
            lambda each: self._run.endpoints.fetch_totals(each, DAILY, days, at_once=True),
            [main, without],
            self._run.max_requests,
        )
        rounding = ROUNDING_OF_A_ROW * (len(subaccounts) + 2)
        with localcontext(EXACT):
            included = {day: price_on(whole, day) - price_on(own, day) for day in {*whole, *own}}
            missing = {day: _missing(spent[day], included[day]) for day in spent.keys() & included}
            missing = {day: amount for day, amount in missing.items() if amount > rounding}
            amount = sum(missing.values(), ZERO)
        if missing:
            logger.warning(
                "%s: its subaccounts have %s of spend in %s, which Twilio does not include, though "
                "the tap asks for it: it is not loaded; set subaccounts to separate",
                *(main.sid, f"{amount:,f}", some([*map(str, merged(map(DAILY.period, missing)))])),
            )

    def _fetch_spend(
        self, subaccounts: Collection[Account], days: Window
    ) -> tuple[Mapping[date, Decimal], list[str]]:
        """Return what the subaccounts have spent by day, and those that cannot be read.

        Raises ApiError.
        """
        endpoints, unreadable = self._run.endpoints, list[str]()

        def fetch(account: Account) -> Totals:
            own = endpoints.fetch_existing(account, days)
            if own.days < 1:
                return {}
            try:
                return endpoints.fetch_totals(account, DAILY, own, at_once=True)
            except (Denied, NotFound):  # such as one that was closed
                unreadable.append(account.sid)
                return {}

        spent: defaultdict[date, Decimal] = defaultdict(Decimal)
        with localcontext(EXACT):
            for totals in InOrder(fetch, subaccounts, self._run.max_requests):
                for day, row in totals.items():
                    spent[day] += row.price or ZERO
        return spent, sorted(unreadable)


def _missing(spent: Decimal, included: Decimal) -> Decimal:
    """Return what is not included; refunds count as well, if nothing is.

    What is included beside `spent` is of accounts that Twilio does not list any more.
    """
    return spent - included if included else abs(spent)


def _spend(history: Iterable[Reported]) -> Decimal:
    totals = (each.price for each in history if normalise(each.category) == TOTAL)
    return next(totals, None) or ZERO
