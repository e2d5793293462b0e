"""The first day on which an account can have usage. Pure, but for the requests of the account."""

from __future__ import annotations

from datetime import date

from tap_twilio_usage.money.usage_record import is_zero
from tap_twilio_usage.sync.run import Account
from tap_twilio_usage.twilio.periods import DAY, MONTHLY, YEARLY, Window


def fetch_first_day(account: Account, first_day: date) -> date | None:
    """Return the first day that the account can have usage; None if it cannot be known.

    That is the day the account was created. If its usage includes subaccounts, one of them may be
    older than the main account: the years and months before that day tell.
    """
    created = account.fetch_date_created()
    if created is None or created <= first_day or not account.includes_subaccounts:
        return created
    begins, start = created, first_day
    for granularity in (YEARLY, MONTHLY):
        days = Window(granularity.first(start), created - DAY)
        periods = account.fetch_usage(granularity, days)
        used = [day for day, rows in periods.items() if not all(map(is_zero, rows))]
        if not used:
            break
        begins = start = max(first_day, min(used))
    return begins
