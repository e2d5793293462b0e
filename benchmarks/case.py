"""What is read: so many days of a made-up company, and the fewest requests that it takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from sandbox import Company

FULL_PAGE = 1000  # Twilio's largest
TODAY = date(2026, 1, 1)


@dataclass(frozen=True)
class Case:
    """Accounts that are as old as the days to read, or by `age` days older.

    Of many accounts each is read by itself. Every day has about so many `categories` (and never
    fewer than the sandbox needs).
    """

    days: int
    accounts: int = 1
    age: int = 0
    categories: int = 290

    def __str__(self) -> str:
        """Give it as a heading says it."""
        accounts, days = ("s" * (number > 1) for number in (self.accounts, self.days))
        return f"{self.accounts} account{accounts}, {self.days} day{days}"

    @property
    def first(self) -> date:
        """The first day to read; the last one is TODAY."""
        return TODAY - timedelta(days=self.days - 1)

    def company(self) -> Company:
        """Give the company: always the same one."""
        return Company(
            since=self.first - timedelta(days=self.age),
            today=TODAY,
            subaccounts=self.accounts - 1,
            categories=self.categories,
        )

    def fewest_requests(self, *, resumed: bool = False) -> int:
        """Give the fewest requests: all pages full, nothing asked that cannot hold anything.

        One lists the accounts, or asks since when there is one (not in a run that goes on from a
        state); then one for each account's whole history, and the pages of those that have any.
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
