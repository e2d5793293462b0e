"""The Usage API v2: the records of a billing group.

Twilio does not document these points; the sandbox chooses them, and no client may rely on them:
- parameters are sent as a JSON object, in which null means absent, or as `BillingForm` says;
- `endDate` is today by default, and `startDate` the first day of the month of `endDate`;
- a range that ends before it begins is an error; days without usage are not;
- `aggregationPeriod` is MONTHLY by default, as in Twilio's sample; months are cut to the range and
  to today;
- `pageSize` is clipped to its maximum; `pageToken` is valid only with the same other parameters.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.billing_form import BillingForm
from sandbox.company import BILLING_GROUP_IDS, LEGACY_BILLING_GROUP_ID, BillingRow, Company
from sandbox.errors import ApiError, invalid, not_found
from sandbox.periods import Period, cut, named_period, read_day
from sandbox.wire import plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from sandbox.api import Order
    from sandbox.wire import Body

_PATH = re.compile(r"/v2/Usage/BillingGroups/(?P<group>[^/]+)/Records")
_TOKEN = re.compile(r"PT([0-9]{1,9})-[0-9a-f]{32}")
_TIME_PERIODS = {
    "YESTERDAY": "Yesterday",
    "THIS_MONTH": "ThisMonth",
    "LAST_MONTH": "LastMonth",
    "THIS_YEAR": "ThisYear",
}
_AGGREGATION_PERIODS = ("MONTHLY", "DAILY")
_MOST_DAYS = 365
_DEFAULT_PAGE_SIZE = 20
_MAX_PAGE_SIZE = 1000


class Asked(NamedTuple):
    """The parsed parameters of a request."""

    group: str
    days: Period
    product_category: str | None
    aggregation_period: str
    page_size: int


class Record(NamedTuple):
    """A product's sums over a period."""

    period: Period
    row: BillingRow


@dataclass(frozen=True)
class BillingApi:
    """The billing groups API of a company; the server checks the credentials."""

    company: Company
    order: Order
    form: BillingForm = field(default_factory=BillingForm)

    def has(self, path: str) -> bool:
        """Return whether the path is that of a billing group's records; the group may not exist."""
        return _PATH.fullmatch(path) is not None

    def records(self, method: str, path: str, body: Body) -> bytes:
        """Return the JSON of a page of records; raise ApiError for every other answer."""
        group = _group(path)
        parameters = self.form.read(method, body)
        asked = _asked(group, parameters, self.company.last_day())
        number = _page_number(asked, _text(parameters, "pageToken"))
        return self._page(asked, number)

    def _page(self, asked: Asked, number: int) -> bytes:
        records = self._found(asked)
        start, end = number * asked.page_size, (number + 1) * asked.page_size
        meta = {
            "key": self.form.key,
            "pageSize": asked.page_size,
            "previousToken": _token(asked, number - 1) if number else None,
            "nextToken": _token(asked, number + 1) if end < len(records) else None,
        }
        texts = ", ".join(map(_rendered, records[start:end]))
        as_of = json.dumps(str(self.company.last_day()))
        array = json.dumps(self.form.array)
        return f'{{"asOf": {as_of}, {array}: [{texts}], "meta": {json.dumps(meta)}}}'.encode()

    def _found(self, asked: Asked) -> list[Record]:
        days = asked.days._replace(last=min(asked.days.last, self.company.last_day()))
        periods = cut(asked.aggregation_period, days)
        if self.order == "newest":
            periods.reverse()
        return [
            Record(period, row)
            for period in periods
            for row in self.company.billing_rows(asked.group, *period)
            if asked.product_category in (None, row.product.category)
        ]


def _group(path: str) -> str:
    match = _PATH.fullmatch(path)
    group = match["group"] if match else None
    if group == LEGACY_BILLING_GROUP_ID:
        raise ApiError(400, 71001, "Billing group is not eligible for this API version")
    if group not in BILLING_GROUP_IDS:
        raise not_found(path)
    return group


def _asked(group: str, parameters: Mapping[str, Any], today: date) -> Asked:
    aggregation_period = _text(parameters, "aggregationPeriod") or _AGGREGATION_PERIODS[0]
    if aggregation_period not in _AGGREGATION_PERIODS:
        raise invalid("aggregationPeriod")
    return Asked(
        group,
        _days(parameters, today),
        _text(parameters, "productCategory"),
        aggregation_period,
        _page_size(parameters),
    )


def _days(parameters: Mapping[str, Any], today: date) -> Period:
    """Return the requested days; raise ApiError if they are too many or invalid."""
    first, last = _day(parameters, "startDate"), _day(parameters, "endDate")
    time_period = _text(parameters, "timePeriod")
    if time_period is not None:
        named = named_period(_TIME_PERIODS.get(time_period, ""), today)
        if named is None or first or last:
            raise invalid("timePeriod")
        return named
    last = last or max(today, first or today)
    days = Period(first or last.replace(day=1), last)
    if not 0 <= (days.last - days.first).days < _MOST_DAYS:
        raise invalid(f"date range: 1 to {_MOST_DAYS} days")
    return days


def _day(parameters: Mapping[str, Any], name: str) -> date | None:
    text = _text(parameters, name)
    day = None if text is None else read_day(text)
    if text is not None and day is None:
        raise invalid(name)
    return day


def _text(parameters: Mapping[str, Any], name: str) -> str | None:
    value = parameters.get(name)
    if value is not None and not isinstance(value, str):
        raise invalid(name)
    return value


def _page_size(parameters: Mapping[str, Any]) -> int:
    size = parameters.get("pageSize", _DEFAULT_PAGE_SIZE)
    if size is None:
        return _DEFAULT_PAGE_SIZE
    # JSON's true and false are integers to Python.
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise invalid("pageSize")
    return min(size, _MAX_PAGE_SIZE)


def _page_number(asked: Asked, token: str | None) -> int:
    """Return the page number of a token, from 0; raise ApiError if it was not issued."""
    if token is None:
        return 0
    match = _TOKEN.fullmatch(token)
    if match is None or token != _token(asked, int(match[1])):
        raise invalid("pageToken")
    return int(match[1])


def _token(asked: Asked, number: int) -> str:
    """Return an opaque token that is valid for one page of one list only."""
    seen = repr((asked, number)).encode()
    return f"PT{number}-{hashlib.blake2b(seen, digest_size=16).hexdigest()}"


def _rendered(record: Record) -> str:
    row = record.row
    content = {
        "productName": row.product.name,
        "productCategory": row.product.category,
        "startDate": str(record.period.first),
        "endDate": str(record.period.last),
        "usage": {"amount": plain(row.usage), "unit": row.unit},
    }
    # Rendered by hand: `json` cannot write a Decimal, and a float would lose digits.
    price = f'{{"amount": {plain(row.price)}, "currency": "USD"}}'
    return f'{json.dumps(content)[:-1]}, "price": {price}}}'
