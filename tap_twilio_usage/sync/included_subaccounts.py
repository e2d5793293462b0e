"""Checks that a main account that includes its subaccounts has their spend.

Twilio has been seen to ignore IncludeSubaccounts. Then all of its sums agree, and the spend of
every subaccount is missing. So once a month, if there are any, AllTime with them is compared with
that without. If it does not have more, they are asked for their days, where the credentials can
list them; and if these have spend, the days of the account are compared, too. Pure, but for these
requests and the log.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date
from decimal import Decimal, localcontext

from tap_twilio_usage.money.amounts import EXACT, ZERO
from tap_twilio_usage.money.hierarchy import TOTAL, normalise
from tap_twilio_usage.money.usage_record import Totals
from tap_twilio_usage.sync.account import Account
from tap_twilio_usage.sync.difference import NEW
from tap_twilio_usage.sync.endpoints import Unanswered
from tap_twilio_usage.sync.once_a_month import days_to_compare
from tap_twilio_usage.sync.run import Company, Run
from tap_twilio_usage.twilio.errors import ApiError, Denied, NotFound
from tap_twilio_usage.twilio.periods import DAILY, Window
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
        created = self._run.endpoints.fetch_date_created(company.main)
        days = Window(max(days.start, created or days.start), days.end)
        is_known = any(days.start in each and days.end in each for each in company.compared)
        if days.days > 0 and not is_known:
            self._log_missing(company, without, days)
            company.compared.append(days)

    def _log_missing(self, company: Company, without: Account, days: Window) -> None:
        """Log the spend of the days that is not included. Raises ApiError."""
        logger, main = self._run.planner.logger, company.main
        subaccounts = company.fetch_subaccounts() if company.fetch_subaccounts else None
        if subaccounts == []:
            return
        # That with subaccounts was asked for before; that without them may have grown since.
        if _spend(main.fetch_all_time()) > _spend(without.fetch_all_time()):
            return
        if subaccounts is None:
            logger.info(
                "%s: Twilio's AllTime is the same with and without subaccounts; whether these have "
                "any spend can be known with an Auth Token only",
                main.sid,
            )
        elif missing := self._fetch_missing(main, without, subaccounts, days):
            logger.warning(
                "%s: its subaccounts have %s of spend in %s, which Twilio does not include, though "
                "the tap asks for it: it is not loaded; set subaccounts to separate",
                *(main.sid, f"{missing:,f}", days),
            )

    def _fetch_missing(
        self, main: Account, without: Account, subaccounts: Collection[Account], days: Window
    ) -> Decimal:
        """Return the spend of the subaccounts in days that have none of it. Raises ApiError."""
        spend = self._fetch_spend(subaccounts, days)
        if not spend:
            return ZERO
        whole, own = InOrder(
            lambda each: self._run.endpoints.fetch_totals(each, DAILY, days, at_once=True),
            [main, without],
            self._run.max_requests,
        )
        is_the_same = all(_price(whole, day) == _price(own, day) for day in {*whole, *own})
        return spend if is_the_same else ZERO

    def _fetch_spend(self, subaccounts: Collection[Account], days: Window) -> Decimal:
        """Return what the subaccounts that can be read have spent in the days. Raises ApiError."""
        endpoints = self._run.endpoints

        def fetch(account: Account) -> Totals:
            created = endpoints.fetch_date_created(account) or days.start
            own = Window(max(days.start, created), days.end)
            if own.days < 1:
                return {}
            try:
                return endpoints.fetch_totals(account, DAILY, own, at_once=True)
            except (Denied, NotFound):  # such as one that was closed
                return {}

        found = InOrder(fetch, subaccounts, self._run.max_requests)
        with localcontext(EXACT):
            return sum((abs(row.price or ZERO) for each in found for row in each.values()), ZERO)


def _spend(history: Iterable[Reported]) -> Decimal:
    totals = (each.price for each in history if normalise(each.category) == TOTAL)
    return next(totals, None) or ZERO


def _price(totals: Totals, day: date) -> Decimal:
    return (totals[day].price or ZERO) if day in totals else ZERO
