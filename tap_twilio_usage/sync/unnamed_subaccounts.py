"""Checks that no subaccount lacks a connection, where no credentials can list the accounts.

The spend of an account with its subaccounts, less its own, is that of its subaccounts. All of it
together must not be more than the spend of the accounts that have a connection and no subaccounts,
unless these are main accounts: Twilio says so, or one has more than any subaccount can have. Once a
month: at first for all months that were loaded, then for the last two. Pure, but for these requests
and the log.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import date
from decimal import Decimal, localcontext
from typing import NamedTuple

from tap_twilio_usage.money.amounts import EXACT, ZERO
from tap_twilio_usage.money.dedup import ROUNDING_OF_A_ROW
from tap_twilio_usage.money.usage_record import Totals, price_on
from tap_twilio_usage.sync.difference import NEW
from tap_twilio_usage.sync.endpoints import Unanswered
from tap_twilio_usage.sync.run import Company, Run
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.periods import DAY, MONTHLY, Window
from tap_twilio_usage.twilio.threads import InOrder


class Months(NamedTuple):
    """The months of an account: what its subaccounts have, if these are to be read, and its own.

    `owner_is_itself` is whether it is known to be a main account.
    """

    of_subaccounts: dict[date, Decimal]
    own: dict[date, Decimal]
    owner_is_itself: bool


class UnnamedSubaccounts:
    """The comparison of one run; it does nothing if an earlier run of this month has made it."""

    def __init__(self, run: Run) -> None:
        """Take the run; make no request yet."""
        self._run = run
        self._accounts = [each for each in run.companies if not each.listed]

    def end(self) -> None:
        """Log the months in which subaccounts have more spend than those with a connection.

        The state must be written afterwards.
        """
        planner, compared = self._run.planner, self._run.state.connections_compared
        sids = [each.main.sid for each in self._accounts if each.together]
        month = MONTHLY.first(planner.today)
        if all(sid in compared and compared[sid] >= month for sid in sids):
            return
        days = Window(self._first_month(sids), planner.today)

        def fetch(company: Company) -> Months:
            endpoints, together, own = self._run.endpoints, company.together, company.main
            # That of all before its own, which may grow.
            whole = endpoints.fetch_totals(together, MONTHLY, days) if together else {}
            return _months(
                whole,
                endpoints.fetch_totals(own, MONTHLY, days),
                is_main=endpoints.fetch_owner(own) == own.sid,
            )

        try:
            months = [*InOrder(fetch, self._accounts, self._run.max_requests)]
        except Unanswered:
            return
        except ApiError as error:
            planner.logger.warning(
                "whether all subaccounts have a connection cannot be checked; the next run tries "
                "again: %s",
                error,
            )
            return
        compared.update(dict.fromkeys(sids, planner.today))
        for month, amount in _unnamed(months, settled=planner.today - NEW).items():
            planner.logger.warning(
                "subaccounts have %s more spend in %s than all accounts that have a connection: "
                "name every subaccount in connections, or it is not loaded",
                f"{amount:,f}",
                f"{month:%Y-%m}",
            )

    def _first_month(self, sids: Collection[str]) -> date:
        """Return the first month to compare."""
        planner, state = self._run.planner, self._run.state
        last_month = MONTHLY.first(MONTHLY.first(planner.today) - DAY)
        compared = [state.connections_compared.get(sid) for sid in sids]
        loaded = (partition.first_day for partition in state.partitions)
        first = planner.settings.first_day(planner.today)
        since = filter(None, compared if all(compared) else (first, *loaded))
        return min(last_month, *map(MONTHLY.first, since))


def _months(whole: Totals, own: Totals, *, is_main: bool) -> Months:
    with localcontext(EXACT):
        of_subaccounts = {
            month: price_on(whole, month) - price_on(own, month)
            for month in whole.keys() | own.keys()
        }
    return Months(of_subaccounts, {month: price_on(own, month) for month in own}, is_main)


def _unnamed(accounts: list[Months], *, settled: date) -> dict[date, Decimal]:
    """Return the spend by month of subaccounts that are not among the accounts, if there is any.

    The month of the day `settled`, and later ones, may have grown from one request to the next.
    """
    unnamed: defaultdict[date, Decimal] = defaultdict(Decimal)
    most: defaultdict[date, Decimal] = defaultdict(Decimal)  # that one subaccount can have
    with localcontext(EXACT):
        for each in accounts:
            for month, price in each.of_subaccounts.items():
                most[month] = max(most[month], price)
        for each in accounts:
            for month, price in each.own.items():
                most[month] += max(ZERO, -price)  # another one may have refunds
        for each in accounts:
            is_main = (
                each.owner_is_itself
                or any(price > 0 for price in each.of_subaccounts.values())
                or any(
                    price > most[month]
                    for month, price in each.own.items()
                    if month < MONTHLY.first(settled)
                )
            )
            for month, price in each.of_subaccounts.items():
                unnamed[month] += price if is_main else -each.own.get(month, ZERO)
    tolerance = ROUNDING_OF_A_ROW * (len(accounts) + 1)
    return {month: amount for month, amount in sorted(unnamed.items()) if amount > tolerance}
