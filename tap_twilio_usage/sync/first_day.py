"""The first day on which an account can have usage. Pure, but for the requests of the account."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from tap_twilio_usage.money.usage_record import is_zero
from tap_twilio_usage.sync.account import Account
from tap_twilio_usage.twilio.periods import DAY, MONTHLY, YEARLY, Window


class FirstDay(NamedTuple):
    """The first day to read, and what it follows from; None where it cannot be known.

    `used_since` is the beginning of the month in which usage began, if that is before the day on
    which the account was `created`.
    """

    day: date | None
    created: date | None
    used_since: date | None = None

    @property
    def is_before_creation(self) -> bool:
        """Whether to read days before the creation though it is unknown if any had usage."""
        return bool(self.day and self.created and self.day < self.created and not self.used_since)


def fetch_first_day(account: Account, first_day: date) -> FirstDay:
    """Return the first day, from `first_day` on, on which the account can have usage.

    That is the day the account was created. If its usage includes subaccounts, one of them may be
    older than the main account: the years and months before that day tell. If Twilio does not even
    list the year in which the account was created, they tell nothing, and it is `first_day`.
    """
    created = account.fetch_date_created()
    if created is None or created <= first_day or not account.includes_subaccounts:
        return FirstDay(created, created)
    used_since = None
    for granularity in (YEARLY, MONTHLY):
        days = Window(granularity.first(used_since or first_day), created - DAY)
        periods = account.fetch_usage(granularity, days)
        used = [day for day, rows in periods.items() if not all(map(is_zero, rows))]
        if not used:
            break
        used_since = max(first_day, min(used))
    if used_since is None and not periods:
        year = Window(YEARLY.first(created), created)
        if not account.fetch_usage(YEARLY, year):
            return FirstDay(first_day, created)
    return FirstDay(used_since or created, created, used_since)
