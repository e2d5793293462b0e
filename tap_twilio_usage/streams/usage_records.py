"""The streams `usage_records_*`: Twilio's usage records, with a de-duplicated price."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec.structs import asdict
from singer_sdk import typing as th

from tap_twilio_usage._compat import override
from tap_twilio_usage.logs.progress import Progress
from tap_twilio_usage.money.parsers import Record
from tap_twilio_usage.money.usage_record import UsageRecord
from tap_twilio_usage.singer.bulk_writer import Write, bulk_writer
from tap_twilio_usage.singer.sdk import SdkTap
from tap_twilio_usage.singer.stream_maps import FLAG
from tap_twilio_usage.streams.base import PeriodStream
from tap_twilio_usage.streams.session import Session
from tap_twilio_usage.sync.pipeline import Pipeline, Rows
from tap_twilio_usage.sync.state import AccountContext
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.periods import Granularity

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context

SCHEMA = th.PropertiesList(
    th.Property("account_sid", th.StringType, required=True, description="Account SID"),
    th.Property("api_version", th.StringType, description="Version of Twilio's API"),
    th.Property("as_of", th.DateTimeType, description="Time as of which it is up to date"),
    th.Property("category", th.StringType, required=True, description="As Twilio writes it"),
    th.Property("description", th.StringType, description="Twilio's name for the category"),
    th.Property("count", th.NumberType, description="Number of usage events, in count_unit"),
    th.Property("count_unit", th.StringType, description="Unit of count, such as calls"),
    th.Property("usage", th.NumberType, description="Amount of usage, in usage_unit"),
    th.Property("usage_unit", th.StringType, description="Unit of usage, such as minutes"),
    th.Property("price", th.NumberType, description="Price as Twilio reports it, in price_unit"),
    th.Property("price_unit", th.StringType, description="Currency, such as usd"),
    th.Property("start_date", th.DateType, required=True, description="First day, GMT"),
    th.Property("end_date", th.DateType, description="Last day, GMT, inclusive"),
    th.Property(
        "includes_subaccounts",
        th.BooleanType,
        description="Whether the amounts include subaccounts",
    ),
    th.Property(
        "service",
        th.StringType,
        description="Product family; Unattributed for totalprice, Other for an unknown category",
    ),
    th.Property(
        "billing_kind",
        th.StringType,
        description=(
            "usage, recurring, one_time, storage, service_fee, pass_through_fee, penalty_fee, "
            "adjustment, credit, internal or total; usage for an unknown category"
        ),
    ),
    th.Property(
        "parent_category",
        th.StringType,
        description="Parent category; inferred from the name of an unknown category",
    ),
    th.Property(
        "dedup_role",
        th.StringType,
        description="Role of the row in the period: total, rollup, leaf or overlap",
    ),
    th.Property(
        "deduplicated_price",
        th.NumberType,
        description=(
            "Part of price that no more detailed row of the account and period contains; sums to "
            "the price of totalprice; null if the period has no totalprice"
        ),
    ),
).to_dict()


class UsageRecordsStream(PeriodStream):
    """Rows by account, category and period of one granularity."""

    primary_keys = ("account_sid", "category", "start_date")
    schema = SCHEMA

    def __init__(self, tap: SdkTap, session: Session, granularity: Granularity) -> None:
        """Take the granularity. Only days are selected by default."""
        self.selected_by_default = granularity.name == "daily"
        super().__init__(tap, session, f"usage_records_{granularity.name}", granularity)
        self._progress = Progress(self.logger)

    @override
    def prepare(self) -> None:
        self._pipeline = Pipeline(self.run_of_accounts(), self._progress)
        self.contexts = [asdict(context) for context in self._pipeline.begin()]

    @override
    def rows(self, context: Context | None) -> Iterator[Record]:
        if not context:  # the SDK passes None if there is no account
            return
        write = self._writer()
        for rows in self.periods(AccountContext(**context)):
            if write:
                write(rows)
            else:
                yield from map(_for_the_sdk, rows)

    def periods(self, context: AccountContext) -> Iterator[Rows]:
        """Yield the rows to emit of one account, a period at a time."""
        return self._pipeline.rows(context)

    @override
    def failed(self, context: Context | None, error: ApiError) -> None:
        account_sid = (context or {})["account_sid"]
        company = self.session.fetch_accounts().company(account_sid)
        if company and company.main.sid == account_sid and not company.main.includes_subaccounts:
            state = self.session.state.usage(self.name).of(AccountContext(**(context or {})))
            if state.catch_up_to and not state.main_account_sid:
                raise error  # its rows in the target may still include subaccounts
        super().failed(context, error)

    @override
    def summary(self) -> Iterator[str]:
        return (f"{self.name}: {line}" for line in self._progress.summary())

    @override
    def summarize(self) -> None:
        self._pipeline.summarize()
        if not self.session.failures:
            self._pipeline.end()
        if self.granularity.is_named_period:  # the spend of few days may be equal by chance
            return
        for company in self.session.fetch_accounts().companies:
            subaccounts = [each.sid for each in company.chosen if each is not company.main]
            if company.separates and self._progress.is_sum_of(company.main.sid, subaccounts):
                self.anomalies.warn_once(
                    f"sum of others of {company.main.sid}",
                    "%s has exactly the spend of all its subaccounts together: Twilio may have "
                    "included them, though the tap asked without; if so, their spend is loaded "
                    "twice",
                    company.main.sid,
                )

    def _writer(self) -> Write | None:
        if self.is_test or self.get_batch_config(self.config):
            return None
        return bulk_writer(
            self.name,
            self.stream_maps,
            own_schema=SCHEMA,
            effective_schema=self.effective_schema,
            write_lines=self.write_lines,
        )


def _for_the_sdk(row: UsageRecord) -> Record:
    record = asdict(row)
    del record[FLAG]
    return {
        **record,
        "start_date": row.start_date.isoformat(),
        "end_date": row.end_date.isoformat(),
    }
