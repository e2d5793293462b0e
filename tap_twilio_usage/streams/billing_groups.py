"""The streams `billing_group_records*`: what billing groups used, by product."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th

from tap_twilio_usage._compat import override
from tap_twilio_usage.money.parsers import Record
from tap_twilio_usage.streams.base import PeriodStream
from tap_twilio_usage.sync import state
from tap_twilio_usage.twilio.auth import Need
from tap_twilio_usage.twilio.billing_groups import BillingGroup
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.periods import DAILY, MONTHLY, Granularity
from tap_twilio_usage.twilio.threads import InOrder

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context

    from tap_twilio_usage.tap import TapTwilioUsage

# Twilio takes ranges of up to 365 days. A window is kept in memory until it is whole: a month of
# days, eleven months of months.
PERIODS_PER_REQUEST = {"daily": 31, "monthly": 11}

BILLING_STREAMS = {"billing_group_records": DAILY, "billing_group_records_monthly": MONTHLY}


class BillingGroupRecordsStream(PeriodStream):
    """A row for every billing group, product and period."""

    primary_keys = ("billing_group_id", "product_category", "product_name", "start_date")
    schema = th.PropertiesList(
        th.Property("billing_group_id", th.StringType, required=True, description="Billing group"),
        th.Property("as_of", th.DateType, description="How fresh the record is, GMT"),
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

    def __init__(self, tap: TapTwilioUsage, name: str, granularity: Granularity) -> None:
        """Be selected by default for days only."""
        self.selected_by_default = granularity.name == "daily"
        super().__init__(tap, name, granularity)

    @property
    @override
    def need(self) -> Need:
        return Need.BILLING_GROUPS

    @property
    @override
    def partitions(self) -> list[dict[str, Any]]:
        return [{"billing_group_id": group.id} for group in self._tap.billing_groups]

    @override
    def failed(self, context: Context | None, error: ApiError) -> None:
        group = self._group(self.get_context_state(context))
        self._tap.failures.add("billing groups", group.name, error)

    @override
    def rows(self, context: Context | None) -> Iterator[Record]:
        partition = self.get_context_state(context)
        group = self._group(partition)
        window = self.window(partition, group.name)
        if window.days < 1:
            return
        windows = list(window.split(PERIODS_PER_REQUEST[self.granularity.name], self.granularity))
        self.logger.info("%s: %s in %d requests or more", group.name, window, len(windows))
        count = 0
        answers = InOrder(partial(group.usage, self.granularity), windows, self.at_once)
        for period, rows in self.periods(zip(windows, answers, strict=True)):
            for row in rows:
                yield {
                    **row,
                    "start_date": row["start_date"].isoformat(),
                    "end_date": row["end_date"].isoformat(),
                    **partition["context"],
                }
            count += len(rows)
            state.advance(partition, period.start)
            self.write_state(len(rows))
        self.logger.info("%s: done, %d days, %d rows", group.name, window.days, count)
        self.report_findings(*group.findings.drain())

    def _group(self, partition: state.Partition) -> BillingGroup:
        group_id = partition["context"]["billing_group_id"]
        return next(group for group in self._tap.billing_groups if group.id == group_id)
