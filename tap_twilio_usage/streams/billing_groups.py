"""The streams `billing_group_records*`: usage of billing groups by product."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th

from tap_twilio_usage._compat import override
from tap_twilio_usage.config.credentials import Need
from tap_twilio_usage.logs.wording import count
from tap_twilio_usage.money.parsers import Record
from tap_twilio_usage.singer.sdk import SdkTap
from tap_twilio_usage.streams.base import PeriodStream
from tap_twilio_usage.streams.session import Session
from tap_twilio_usage.sync.billing_gaps import BillingGaps, covering
from tap_twilio_usage.sync.products import Products
from tap_twilio_usage.sync.state import BillingGroupContext
from tap_twilio_usage.twilio.billing_groups import BillingGroup
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.periods import DAILY, MONTHLY, Granularity, Window, merged
from tap_twilio_usage.twilio.threads import InOrder

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context


# Twilio accepts ranges of up to 365 days. A window is in memory until all its pages are read.
PERIODS_PER_REQUEST = {"daily": 31, "monthly": 11}

BILLING_STREAMS = {"billing_group_records": DAILY, "billing_group_records_monthly": MONTHLY}


class BillingGroupRecordsStream(PeriodStream):
    """Rows by billing group, product and period."""

    primary_keys = ("billing_group_id", "product_category", "product_name", "start_date")
    schema = th.PropertiesList(
        th.Property("billing_group_id", th.StringType, required=True, description="Billing group"),
        th.Property("as_of", th.DateType, description="Date as of which it is up to date, GMT"),
        th.Property("product_name", th.StringType, required=True, description="Twilio's product"),
        th.Property(
            "product_category", th.StringType, required=True, description="Category of the product"
        ),
        th.Property("start_date", th.DateType, required=True, description="First day, GMT"),
        th.Property("end_date", th.DateType, description="Last day, GMT, inclusive"),
        th.Property("usage", th.NumberType, description="Amount of usage, in usage_unit"),
        th.Property("usage_unit", th.StringType, description="Unit of usage, such as segments"),
        th.Property("price", th.NumberType, description="Price, in price_unit"),
        th.Property("price_unit", th.StringType, description="Currency, such as USD"),
    ).to_dict()

    def __init__(self, tap: SdkTap, session: Session, name: str, granularity: Granularity) -> None:
        """Take the name and the granularity. Only days are selected by default."""
        self.selected_by_default = granularity.name == "daily"
        super().__init__(tap, session, name, granularity)

    @property
    @override
    def need(self) -> Need:
        return Need.BILLING_GROUPS

    @property
    @override
    def refused(self) -> list[str]:
        return []

    @override
    def contexts_to_test(self) -> list[dict[str, Any]]:
        return self.contexts or []

    @override
    def prepare(self) -> None:
        self.contexts = [{"billing_group_id": sid} for sid in self.session.billing_groups]

    @override
    def failed(self, context: Context | None, error: ApiError) -> None:
        group = self.session.billing_groups[(context or {})["billing_group_id"]]
        self.session.failures.add("billing groups", group.name, error)

    @override
    def rows(self, context: Context | None) -> Iterator[Record]:
        found = BillingGroupContext(**(context or {}))
        group = self.session.billing_groups[found.billing_group_id]
        state = self.session.state.billing(self.name).of(found)
        planner = self.planner()
        planner.reset_future_bookmark(state, group.name)
        gaps = BillingGaps(state, self.granularity, planner.today)
        products = Products(state, self.session.settings.lookback_days)
        days = planner.days(state, group.name)
        if earlier := planner.earlier_days(state):
            self.logger.info("%s: start_date is earlier now: loading %s", group.name, earlier)
            state.missing_days = merged([*state.missing_days, earlier])
        asked = gaps.to_ask_again(days, planner.since(state))
        if days.days > 0:
            asked.append(days)
        if not asked:
            return
        state.asked_since = planner.asked_since(state)
        state.missing_days = merged([*state.missing_days, *planner.skipped_days(state, days)])
        last = self.granularity.first(days.end)
        state.reading_up_to = max(state.reading_up_to or last, last)
        self.save()
        read = emitted = 0
        for period, listed in self._listed(group, asked, days):
            rows = products.add_withdrawn(period, listed)
            if products.record(listed):
                self.save()
            for row in rows:
                yield {
                    **row,
                    "start_date": row["start_date"].isoformat(),
                    "end_date": row["end_date"].isoformat(),
                    "billing_group_id": group.id,
                }
            read, emitted = read + period.days, emitted + len(rows)
            gaps.note(period, is_listed=bool(listed), was_listed=products.were_listed(period))
            products.note_loaded(period, listed)
            state.advance(period.start)
            self.save(len(rows))
        gaps.end(group.name, Window(asked[0].start, days.end), self.logger)
        products.end(group.name, self.logger)
        self.save()
        self.logger.info("%s: loaded %s, %s", group.name, count(read, "day"), count(emitted, "row"))
        self.anomalies.report(group.findings)

    def _listed(
        self, group: BillingGroup, asked: list[Window], days: Window
    ) -> Iterator[tuple[Window, list[Record]]]:
        """Yield the periods of the windows, oldest first, with the rows that Twilio lists."""
        missing = [window for window in asked if window != days]
        periods = PERIODS_PER_REQUEST[self.granularity.name]
        windows = [
            *covering(missing, periods, self.granularity),
            *days.split(periods, self.granularity),
        ]
        if missing:
            empty = sum(window.days for window in missing)
            self.logger.info(
                "%s: asking also for %s that have no records yet", group.name, count(empty, "day")
            )
        self.logger.info(
            "%s: loading %s (%s) with at least %s",
            group.name,
            Window(asked[0].start, days.end),
            count(sum(window.days for window in asked), "day"),
            count(len(windows), "request"),
        )
        answers = InOrder(partial(group.fetch_usage, self.granularity), windows, self.max_requests)
        for window, answer in zip(windows, answers, strict=True):
            by_period = {self.granularity.first(day): rows for day, rows in answer.items()}
            for period in window.split(1, self.granularity):
                if any(period.start in each for each in asked):
                    yield period, by_period.get(period.start, [])
