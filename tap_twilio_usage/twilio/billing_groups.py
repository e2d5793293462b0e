"""Twilio's Usage API v2: what one billing group used.

Three points are not in Twilio's documentation, and were not checked against a live account: the
host (setting `billing_api_url`), that parameters travel as a JSON body, and that the next page is
asked for by `TOKEN`. All three stand here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from tap_twilio_usage.logs.anomalies import Findings
from tap_twilio_usage.money import parsers
from tap_twilio_usage.money.parsers import Fields, InvalidRecordError, Record
from tap_twilio_usage.twilio.client import MOST_PAGES, Client
from tap_twilio_usage.twilio.errors import ApiError, NotFound
from tap_twilio_usage.twilio.periods import Granularity, Window
from tap_twilio_usage.twilio.transport import Json

PATH = "/v2/Usage/BillingGroups/{}/Records"
TOKEN = "pageToken"  # noqa: S105  (the name of a parameter)

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

    def __init__(self, client: Client, group_id: str, number: int, page_size: int) -> None:
        """Ask nothing yet; the number is its place in the settings, from 1."""
        self.id = group_id
        self.name = f"billing group {number}"
        self._client = client
        self._page_size = page_size
        self.findings = Findings()

    def usage(self, granularity: Granularity, window: Window) -> dict[date, list[Record]]:
        """Give the rows of each period of the window that has any, by its first day.

        One row a product, ordered by category and name. Raises ApiError.
        """
        keyed: dict[tuple[date, str, str], Record] = {}
        for row in self._rows(granularity, window):
            day, product = row["start_date"], row["product_name"]
            before = keyed.setdefault((day, row["product_category"], product), row)
            self.findings.repeated_rows += before is not row
            if before | {"as_of": row["as_of"]} != row:
                raise ApiError(
                    f"{self.name}: {product!r} came twice for {day}, with different values; "
                    "there is one row for them"
                )
        periods: dict[date, list[Record]] = {}
        for (day, _, _), row in sorted(keyed.items()):
            periods.setdefault(day, []).append(row)
        return periods

    def _rows(self, granularity: Granularity, window: Window) -> Iterator[Record]:
        body = {
            "startDate": f"{window.start}",
            "endDate": f"{window.end}",
            "aggregationPeriod": granularity.name.upper(),
            "pageSize": self._page_size,
        }
        position = 0
        for page in self._pages(body):
            as_of = self._as_of(page)
            for raw in page["records"]:
                position += 1
                row = self._checked(raw, f"record {position} of {window}")
                one = granularity.is_single_period(row["start_date"], row["end_date"])
                if not one or row["start_date"] not in window:
                    raise ApiError(
                        f"{self.name}: {window}: Twilio sent {row['product_name']!r} for "
                        f"{row['start_date']}..{row['end_date']}, which was not asked for"
                    )
                yield {"as_of": as_of, **row}

    def _pages(self, body: Json) -> Iterator[Json]:
        seen: set[str] = set()
        while True:
            page = self._post(body)
            meta = page.get("meta")
            if not isinstance(page.get("records"), list) or not isinstance(meta, dict):
                raise ApiError(
                    f"{self.name} answered without records or meta: not what Twilio documents"
                )
            yield page
            token = meta.get("nextToken")
            if token is None or token == "":
                return
            if not isinstance(token, str) or token in seen or len(seen) >= MOST_PAGES:
                raise ApiError(f"{self.name}: the paging does not end, or comes back; stopped")
            seen.add(token)
            body = {**body, TOKEN: token}

    def _post(self, body: Json) -> Json:
        try:
            return self._client.post(PATH.format(self.id), json=body, name=self.name)
        except NotFound as error:
            raise ApiError(
                f"{error}: no such billing group for this OAuth app, or none yet on "
                f"{body['startDate']} (start_date)"
            ) from None
        except ApiError as error:
            if error.code != NOT_ELIGIBLE:
                raise
            raise ApiError(
                f"{self.name} cannot use this version of the API (Twilio's error 71001): take it "
                "out of billing_group_ids; usage_records_daily has the usage of its accounts"
            ) from None

    def _as_of(self, page: Json) -> str | None:
        as_of = page.get("asOf")
        try:
            return None if as_of is None else parsers.day(as_of).isoformat()
        except ValueError as error:
            raise ApiError(f"{self.name}: its asOf {error}") from None

    def _checked(self, raw: Any, where: str) -> Record:
        try:
            record = parsers.parse(raw, FIELDS)
            usage = parsers.parse(record["usage"], {"amount": parsers.number, "unit": parsers.text})
            price = parsers.parse(
                record["price"], {"amount": parsers.number, "currency": parsers.currency}
            )
        except InvalidRecordError as error:
            raise ApiError(f"{self.name}: {where}: {error}") from None
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
