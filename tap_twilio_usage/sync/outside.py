"""What Twilio has of an account outside of the days that a run reads: small requests of totals."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal, localcontext

from tap_twilio_usage.money.amounts import EXACT, ZERO
from tap_twilio_usage.money.usage_record import Totals
from tap_twilio_usage.sync.run import Account
from tap_twilio_usage.twilio.periods import DAILY, DAY, MONTHLY, YEARLY, Granularity, Window

TWILIO_BEGAN = date(2008, 1, 1)


def price_of(totals: Totals, without: Iterable[Window] = ()) -> Decimal:
    """Return the sum of the totals, but for those of some days."""
    windows = [*without]
    with localcontext(EXACT):
        return sum(
            (
                each.price or ZERO
                for day, each in totals.items()
                if not any(day in window for window in windows)
            ),
            ZERO,
        )


def fetch_before(
    account: Account, first: date, granularity: Granularity, loaded: date | None
) -> Decimal:
    """Return what the account has spent before a day, of whose past days some may be `loaded`.

    For the days since `loaded`, Twilio's days are asked for: its months may have what they lack.
    """
    before = ZERO
    if loaded and loaded < first:
        days = Window(loaded, first - DAY)
        before = price_of(account.fetch_totals(granularity, days, at_once=True))
        first = loaded
    created = account.fetch_date_created()
    with localcontext(EXACT):
        if created is None:
            return before + price_of(_fetch_months(account, first))
        if created < first:
            before += price_of(account.fetch_totals(MONTHLY, Window(created, first - DAY)))
        return before


def fetch_older(account: Account, first: date) -> Decimal:
    """Return what `fetch_before` does not find at little cost.

    That is usage of subaccounts from before the main account was created. If the creation cannot be
    read, it is that of the month of the creation: Twilio may answer 404 for a month in which an
    account was created, though not for its days.
    """
    created = account.fetch_date_created()
    if created:
        oldest = min(created, first)
        return price_of(_fetch_months(account, oldest)) if account.includes_subaccounts else ZERO
    last = min(_fetch_months(account, first), default=first) - DAY
    return price_of(account.fetch_totals(DAILY, Window(MONTHLY.first(last), last)))


def _fetch_months(account: Account, first: date) -> Totals:
    """Return the months before a day, back to the first year that Twilio does not list."""
    months: Totals = {}
    while first > TWILIO_BEGAN:
        year = Window(YEARLY.first(first - DAY), first - DAY)
        found = account.fetch_totals(MONTHLY, year)
        if not found:
            break
        months |= found
        first = year.start
    return months
