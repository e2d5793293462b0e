"""Checks that no subaccount lacks a connection, where no credentials can list the accounts.

The spend of an account with its subaccounts, less its own, is that of its subaccounts. All of it
together must not be more than the spend of the accounts that have a connection and no subaccounts.
Once a month, for the last two months. Pure, but for these requests and the log.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal, localcontext
from typing import NamedTuple

from tap_twilio_usage.money.amounts import EXACT, ZERO
from tap_twilio_usage.money.dedup import ROUNDING_OF_A_ROW
from tap_twilio_usage.money.usage_record import Totals
from tap_twilio_usage.sync.endpoints import Unanswered
from tap_twilio_usage.sync.run import Company, Run
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.periods import DAY, MONTHLY, Window
from tap_twilio_usage.twilio.threads import InOrder


class Months(NamedTuple):
    """The months of an account: with its subaccounts, if these are to be read, and as loaded."""

    whole: Totals
    own: Totals


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
        days = Window(MONTHLY.first(month - DAY), planner.today)

        def fetch(company: Company) -> Months:
            fetch_totals, together = self._run.endpoints.fetch_totals, company.together
            whole = fetch_totals(together, MONTHLY, days) if together else {}  # before its own
            return Months(whole, fetch_totals(company.main, MONTHLY, days))

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
        for month, amount in _unnamed(months).items():
            planner.logger.warning(
                "subaccounts have %s more spend in %s than all accounts that have a connection: "
                "name every subaccount in connections, or it is not loaded",
                f"{amount:,f}",
                f"{month:%Y-%m}",
            )


def _unnamed(accounts: list[Months]) -> dict[date, Decimal]:
    """Return the spend by month of subaccounts that are not among the accounts, if there is any."""
    unnamed: defaultdict[date, Decimal] = defaultdict(Decimal)
    with localcontext(EXACT):
        for each in accounts:
            for month in each.whole.keys() | each.own.keys():
                whole, own = (_price(totals, month) for totals in each)
                # The spend of its subaccounts; an account without any may be one itself.
                unnamed[month] += whole - own if whole > own else -own
    tolerance = ROUNDING_OF_A_ROW * (len(accounts) + 1)
    return {month: amount for month, amount in sorted(unnamed.items()) if amount > tolerance}


def _price(totals: Totals, month: date) -> Decimal:
    return (totals[month].price or ZERO) if month in totals else ZERO
