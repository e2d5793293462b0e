"""Decides which days to compare by small requests for each account, once a month. Pure."""

from __future__ import annotations

from datetime import date

from tap_twilio_usage.sync.run import Run
from tap_twilio_usage.twilio.periods import MONTHLY, Window


def days_to_compare(run: Run, compared: Window | None, last: date) -> Window | None:
    """Return the days to compare up to `last`, which begin with a month; None if there are none.

    `compared` are those of earlier runs.
    """
    planner = run.planner
    start = planner.settings.start_date
    if compared is None or compared.end > planner.today:  # or a run had a wrong clock
        loaded = (partition.first_day for partition in run.state.partitions)
        first = min(filter(None, (planner.settings.first_day(planner.today), *loaded)))
    elif start and MONTHLY.first(start) < compared.start:
        first = start
    elif MONTHLY.first(last) == MONTHLY.first(compared.end):
        return None
    else:
        first = compared.end
    days = Window(MONTHLY.first(first), last)
    return days if days.days > 0 else None
