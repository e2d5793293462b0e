"""The settings that decide which rows to read, and a run with them, for tests without the SDK."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from tap_twilio_usage.logs.anomalies import Anomalies
from tap_twilio_usage.sync.endpoints import Endpoints
from tap_twilio_usage.sync.plan import Planner
from tap_twilio_usage.sync.run import Company, Run
from tap_twilio_usage.sync.state import UsageState
from tap_twilio_usage.twilio.periods import Granularity


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


def run_of(  # noqa: PLR0913
    companies: Sequence[Company],
    state: UsageState,
    *,
    granularity: Granularity,
    today: date,
    logger: logging.Logger,
    write_state: Callable[[], None] = lambda: None,
    save: Callable[[int | None], None] = lambda _: None,
    **options: Any,
) -> Run:
    """Return a run of one request at a time; the `options` are those of Options."""
    planner = Planner(
        settings=Options(**options),
        granularity=granularity,
        today=today,
        is_incremental=True,
        logger=logger,
        anomalies=Anomalies(logger),
    )
    return Run(
        companies=companies,
        state=state,
        planner=planner,
        write_state=write_state,
        save=save,
        max_requests=1,
        version="1",
        endpoints=Endpoints(logger),
    )
