"""The settings that decide which rows to read, for tests without a configuration."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass
class Options:
    """As `tap_twilio_usage.sync.plan.Settings` describes them."""

    start_date: date | None = date(2026, 1, 1)
    end_date: date | None = None
    lookback_days: int = 35
    skip_unused_categories: bool = True
    page_size: int = 1000
    focus: bool = False
    separates_accounts: bool = False

    def first_day(self, today: date) -> date:
        return self.start_date or today

    def last_day(self, today: date) -> date:
        return min(self.end_date or today, today)
