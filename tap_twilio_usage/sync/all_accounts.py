"""Checks that the accounts that Twilio lists have all the spend: the list may leave one out.

Each day of the main account with all its subaccounts must have the spend of the listed accounts
together. Once a month, with one small request for each account, for all months that were loaded
since: sums of longer periods would hide amounts that cancel each other out. Pure, but for these
requests and the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal, localcontext

from tap_twilio_usage.logs.wording import some
from tap_twilio_usage.money.amounts import EXACT, ZERO
from tap_twilio_usage.money.dedup import ROUNDING_OF_A_ROW
from tap_twilio_usage.money.usage_record import Totals
from tap_twilio_usage.sync.account import Account
from tap_twilio_usage.sync.difference import NEW
from tap_twilio_usage.sync.endpoints import Unanswered
from tap_twilio_usage.sync.once_a_month import days_to_compare
from tap_twilio_usage.sync.run import Company, Run
from tap_twilio_usage.twilio.errors import ApiError, RetriesExhausted
from tap_twilio_usage.twilio.periods import DAILY, Window, merged
from tap_twilio_usage.twilio.threads import InOrder


class AllAccounts:
    """The comparison of a company; it does nothing if an earlier run of this month has made it."""

    def __init__(self, run: Run, company: Company) -> None:
        """Take the run; make no request yet."""
        self._run = run
        self._company = company
        self._days = None
        if company.together and company.listed:
            # The newest days still grow; they are compared next month.
            compared = run.state.compared.get(company.main.sid)
            self._days = days_to_compare(run, compared, run.planner.today - NEW)
        self._unreadable: list[str] = []  # of the accounts that are excluded

    def end(self) -> None:
        """Log the days on which all accounts together have another spend than those listed.

        The state must be written afterwards.
        """
        state, company, days = self._run.state, self._company, self._days
        together = company.together
        if not together:  # what is loaded without a comparison is compared later
            state.compared.pop(company.main.sid, None)
        if not together or not days:
            return
        try:
            missing = {} if company.has_compared(days) else self._fetch_missing(together, days)
        except Unanswered:
            return
        except ApiError as error:
            self._run.planner.logger.warning(
                "whether Twilio lists all accounts cannot be checked; the next run tries again: %s",
                error,
            )
            return
        company.compared.append(days)
        compared = state.compared.get(together.sid)
        state.compared[together.sid] = Window(min(days.start, *(compared or days)), days.end)
        more = {day: amount for day, amount in missing.items() if amount > 0}
        less = {day: -amount for day, amount in missing.items() if amount < 0}
        for amounts, word in ((more, "more"), (less, "less")):
            if amounts:
                self._log(amounts, word, together.sid)

    def _log(self, amounts: Mapping[date, Decimal], word: str, sid: str) -> None:
        days = some([*map(str, merged(map(DAILY.period, amounts)))])
        difference, logger = f"{_sum(amounts.values()):,f}", self._run.planner.logger
        if self._unreadable:
            logger.info(
                "%s: with all its subaccounts, its spend in %s is %s %s than that of the "
                "accounts that can be read; excluded accounts that cannot be read: %s",
                *(sid, days, difference, word, some(self._unreadable)),
            )
            return
        logger.warning(
            "%s: with all its subaccounts, its spend in %s is %s %s than that of the "
            "accounts that Twilio lists: it leaves out an account, such as one that was closed "
            "more than 30 days ago, which is loaded only as far as earlier runs did, or a day of "
            "one",
            *(sid, days, difference, word),
        )

    def _fetch_missing(self, together: Account, days: Window) -> dict[date, Decimal]:
        """Return what the listed accounts lack, by day."""
        endpoints = self._run.endpoints

        def own(account: Account) -> Window:
            return endpoints.fetch_existing(account, days)

        def fetch(account: Account) -> Totals:
            is_excluded = account.sid not in self._company.accounts
            try:  # one that was closed answers 404 for all of its days
                return endpoints.fetch_totals(account, DAILY, own(account), at_once=is_excluded)
            except (Unanswered, RetriesExhausted):
                raise
            except ApiError:
                if is_excluded:
                    return {}
                raise

        listed = [each for each in self._company.listed if own(each).days > 0]
        since = min((own(each).start for each in listed), default=days.start)
        whole = endpoints.fetch_totals(together, DAILY, Window(since, days.end))
        parts = [*InOrder(fetch, listed, self._run.max_requests)]
        self._unreadable = [
            account.sid
            for account, part in zip(listed, parts, strict=True)
            if not part and account.sid not in self._company.accounts
        ]
        used = {day for part in parts for day, total in part.items() if total.price}
        # A subaccount may be older than the main account, for which Twilio may not answer then.
        begins = own(self._company.main).start
        if lacking := sorted(day for day in used - whole.keys() if day >= begins):
            raise ApiError(
                f"Twilio has no record of {lacking[0]} of {together.sid} with its subaccounts"
            )
        missing = {}
        for day, total in whole.items():
            of_each = _sum(part[day].price or ZERO for part in parts if day in part)
            with localcontext(EXACT):
                difference = (total.price or ZERO) - of_each
            if abs(difference) > ROUNDING_OF_A_ROW * (len(listed) + 1):
                missing[day] = difference
        return missing


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    with localcontext(EXACT):
        return sum(amounts, ZERO)
