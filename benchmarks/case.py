"""The data to read: days of an invented company, and the fewest requests that they need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from sandbox import Company

FULL_PAGE = 1000  # Twilio's largest
TODAY = date(2026, 1, 1)


@dataclass(frozen=True)
class Case:
    """Days to read of accounts that are `age` days older than the first day.

    If there are several accounts, each is read separately. Every day has about `categories`
    categories, and never fewer than the sandbox needs.
    """

    days: int
    accounts: int = 1
    age: int = 0
    categories: int = 290

    def __str__(self) -> str:
        """Return the case as text for a heading."""
        accounts, days = ("s" * (number > 1) for number in (self.accounts, self.days))
        return f"{self.accounts} account{accounts}, {self.days} day{days}"

    @property
    def first(self) -> date:
        """The first day to read; the last one is TODAY."""
        return TODAY - timedelta(days=self.days - 1)

    def company(self) -> Company:
        """Return the company, which is always the same."""
        return Company(
            since=self.first - timedelta(days=self.age),
            today=TODAY,
            subaccounts=self.accounts - 1,
            categories=self.categories,
        )

    def fewest_requests(self, *, resumed: bool = False) -> int:
        """Return the fewest requests: all pages are full, and none is certain to be empty.

        One request lists the accounts, or reads when the only account was created (not in a run
        that resumes from a state). Then there is one for each account's whole history, and the
        pages of the accounts that have usage.
        """
        company = self.company()
        rows = sum(len(company.reported(day)) for day in self._days(self.first))
        pages = -(-rows // FULL_PAGE)
        used = sum(
            any(company.charges(account.sid, day) for day in self._days(company.since))
            for account in company.accounts()
        )
        looked_up = 0 if resumed and self.accounts == 1 else 1
        return looked_up + self.accounts + used * pages

    def _days(self, since: date) -> Iterator[date]:
        return (since + timedelta(days=n) for n in range((TODAY - since).days + 1))
