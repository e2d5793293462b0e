"""Twilio's Usage API v2: the usage of one billing group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from tap_twilio_usage.logs.anomalies import Findings
from tap_twilio_usage.money import parsers
from tap_twilio_usage.money.parsers import Fields, InvalidRecordError, Record
from tap_twilio_usage.twilio.billing_lists import Asked, Lists, NotRequestedError
from tap_twilio_usage.twilio.errors import ApiError, InvalidResponseError, NotFound
from tap_twilio_usage.twilio.periods import Granularity, Window
from tap_twilio_usage.twilio.transport import Json

PATH = "/v2/Usage/BillingGroups/{}/Records"

NOT_ELIGIBLE = "71001"
FIELDS: Fields = {
    "productName": parsers.name,
    "productCategory": parsers.name,
    "startDate": parsers.day,
    "endDate": parsers.day,
    "usage": parsers.nested,
    "price": parsers.nested,
}


class BillingGroup:
    """Usage of one billing group. Its id is a credential: logs name it by its number."""

    def __init__(self, lists: Lists, group_id: str, number: int) -> None:
        """Request nothing yet; the number is its position in the settings, from 1."""
        self.id = group_id
        self.name = f"billing group {number}"
        self.path = PATH.format(group_id)
        self.findings = Findings()
        self._lists = lists

    def fetch_usage(self, granularity: Granularity, window: Window) -> dict[date, list[Record]]:
        """Return the rows of each period of the window that has any, by its first day.

        One row per product, ordered by category and name. Raises ApiError.
        """
        try:
            rows = self._lists.rows(self, Asked(granularity, window))
        except NotFound as error:
            raise ApiError(
                f"{error}: this OAuth app has no such billing group, or the group did not exist on "
                f"{window.start}; check billing_group_ids, start_date and billing_api_url"
            ) from None
        except ApiError as error:
            if error.code != NOT_ELIGIBLE:
                raise
            raise ApiError(
                f"{self.name} cannot use this version of the API (Twilio's error 71001); remove it "
                "from billing_group_ids: usage_records_daily has the usage of its accounts"
            ) from None
        periods: dict[date, list[Record]] = {}
        for (day, _, _), row in sorted(rows.items()):
            periods.setdefault(day, []).append(row)
        return periods

    def read(self, answer: Json, records: Sequence[Any], asked: Asked) -> list[Record]:
        """Return the rows of a page. Raises NotRequestedError, InvalidResponseError."""
        return list(self._rows(records, self._as_of(answer), asked))

    def _rows(self, records: Sequence[Any], as_of: str | None, asked: Asked) -> Iterator[Record]:
        granularity, window = asked
        for position, raw in enumerate(records, 1):
            row = self._row(raw, f"record {position} of a page of {window}")
            days = Window(row["start_date"], row["end_date"])
            if not granularity.is_single_period(*days) or days.start not in window:
                raise NotRequestedError(
                    f"{self.name}: {window}: Twilio sent {row['product_name']!r} for {days}, which "
                    "was not requested",
                    days,
                )
            yield {"as_of": as_of, **row}

    def _as_of(self, page: Json) -> str | None:
        as_of = page.get("asOf")
        try:
            return None if as_of is None else parsers.day(as_of).isoformat()
        except ValueError as error:
            raise InvalidResponseError(f"{self.name}: its asOf {error}") from None

    def _row(self, raw: Any, where: str) -> Record:
        try:
            record = parsers.parse(raw, FIELDS)
            usage = parsers.parse(record["usage"], {"amount": parsers.number, "unit": parsers.text})
            price = parsers.parse(
                record["price"], {"amount": parsers.price, "currency": parsers.currency}
            )
        except InvalidRecordError as error:
            raise InvalidResponseError(f"{self.name}: {where}: {error}") from None
        self.findings.unknown_fields |= raw.keys() - FIELDS.keys()
        return {
            "product_name": record["productName"],
            "product_category": record["productCategory"],
            "start_date": record["startDate"],
            "end_date": record["endDate"],
            "usage": usage["amount"],
            "usage_unit": usage["unit"],
            "price": price["amount"],
            "price_unit": price["currency"],
        }
