"""The stream `usage_reconciliation`: Twilio's own months against Twilio's own days."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict
from singer_sdk import typing as th

from tap_twilio_usage._compat import override
from tap_twilio_usage.singer.sdk import SdkTap
from tap_twilio_usage.streams.base import PeriodStream
from tap_twilio_usage.streams.session import Session
from tap_twilio_usage.sync.reconciliation import Reconciliation
from tap_twilio_usage.sync.state import AccountContext
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.periods import MONTHLY

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context


class UsageReconciliationStream(PeriodStream):
    """Rows by account, month and currency."""

    primary_keys = ("account_sid", "start_date", "price_unit")
    schema = th.PropertiesList(
        th.Property("account_sid", th.StringType, required=True, description="Account SID"),
        th.Property(
            "includes_subaccounts",
            th.BooleanType,
            description="Whether the amounts include subaccounts",
        ),
        th.Property(
            "start_date", th.DateType, required=True, description="First day of the month, GMT"
        ),
        th.Property("end_date", th.DateType, description="Last day of the month, GMT, inclusive"),
        th.Property(
            "price_unit", th.StringType, required=True, description="Currency, such as usd"
        ),
        th.Property(
            "days_expected",
            th.IntegerType,
            description="Days of the month that have begun and lie after the account's creation",
        ),
        th.Property(
            "days_reported",
            th.IntegerType,
            description="Days of these for which Twilio has a totalprice",
        ),
        th.Property(
            "daily_total", th.NumberType, description="Sum of Twilio's daily totalprice, exact"
        ),
        th.Property(
            "monthly_total",
            th.NumberType,
            description="Twilio's own totalprice of the month; null if Twilio has none",
        ),
        th.Property(
            "difference",
            th.NumberType,
            description="monthly_total less daily_total; null without a monthly_total",
        ),
        th.Property("as_of", th.DateTimeType, description="Time as of which it is up to date"),
    ).to_dict()

    def __init__(self, tap: SdkTap, session: Session) -> None:
        """Read months; selected by default where these are two requests, not two an account."""
        self.selected_by_default = not session.settings.lists_accounts
        super().__init__(tap, session, "usage_reconciliation", MONTHLY)

    @override
    def prepare(self) -> None:
        self._reconciliation = Reconciliation(self.run_of_accounts())
        self.contexts = [asdict(context) for context in self._reconciliation.begin()]

    @override
    def rows(self, context: Context | None) -> Iterator[dict[str, Any]]:
        if not context:  # the SDK passes None if there is no account
            return
        for months in self._reconciliation.months(AccountContext(**context)):
            for month in months:
                yield {
                    **context,
                    "start_date": month.days.start.isoformat(),
                    "end_date": month.days.end.isoformat(),
                    "price_unit": month.price_unit,
                    "days_expected": month.days_expected,
                    "days_reported": month.days_reported,
                    "daily_total": month.daily_total,
                    "monthly_total": month.monthly_total,
                    "difference": month.difference,
                    "as_of": month.as_of,
                }

    @override
    def summarize(self) -> None:
        if not self.session.failures:
            self._reconciliation.end()

    @override
    def failed(self, context: Context | None, error: ApiError) -> None:
        # A check must not keep the records themselves from being loaded.
        self.session.failures.add("accounts", (context or {})["account_sid"], error)
