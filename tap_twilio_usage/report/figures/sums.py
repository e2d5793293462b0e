"""What the warehouse adds up for the report: one class for the rows of each query."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

ZERO = Decimal(0)
OTHERS = ""  # stands for the accounts that are not shown one by one


class AccountDay(NamedTuple):
    """The sums of a day of an account. `total` is Twilio's own, `remainder` is in no category."""

    account: str
    rolled_up: bool | None
    unit: str
    day: date
    naive: Decimal
    deduplicated: Decimal
    total: Decimal | None
    remainder: Decimal
    used: bool  # whether a row has an amount
    as_of: datetime | None


class Month(NamedTuple):
    """A row of `usage_reconciliation`: Twilio's own record of a month of an account."""

    account: str
    rolled_up: bool | None
    unit: str
    first: date
    days_expected: int
    total: Decimal | None
    as_of: date | None = None


class Account(NamedTuple):
    """A row of `accounts`."""

    sid: str
    name: str
    status: str
    created: date | None
    updated: date | None


class Cost(NamedTuple):
    """The cost of a day; `who` is an account or an owner, `is_fee` is not usage."""

    day: date
    service: str
    who: str
    is_fee: bool
    amount: Decimal


class MonthCost(NamedTuple):
    """The cost of a category in a month."""

    month: date
    service: str
    category: str
    unit: str  # of the usage
    who: str
    amount: Decimal
    usage: Decimal
    is_fee: bool = False


class Movement(NamedTuple):
    """A category of an account in the same days of two months."""

    service: str
    category: str
    account: str
    before: Decimal
    after: Decimal
    usage_before: Decimal
    usage_after: Decimal


class Forecast(NamedTuple):
    """What a month will cost; without `low` and `high` there is no range."""

    month: date
    expected: Decimal
    low: Decimal | None
    high: Decimal | None


class Budget(NamedTuple):
    """A budget in its current period."""

    name: str
    scope: str
    value: str | None
    period: str
    first: date
    last: date
    amount: Decimal | None
    actual: Decimal
    expected: Decimal
    low: Decimal | None
    high: Decimal | None
    percent_used: Decimal | None
    percent_of_period: Decimal | None
    status: str


class Anomaly(NamedTuple):
    """A cost that is unusual for its day."""

    day: date
    account: str
    service: str
    category: str
    cost: Decimal
    expected: Decimal
    excess: Decimal
    kind: str


class Charge(NamedTuple):
    """What a customer is charged in a month, and what it cost."""

    month: date
    customer: str
    amount: Decimal
    cost: Decimal
    is_closed: bool


class Invoiced(NamedTuple):
    """The part of an invoice with one reason for its difference from the usage."""

    invoice: str
    first: date
    last: date
    reason: str
    amount: Decimal
    usage: Decimal
    difference: Decimal


class GroupMonth(NamedTuple):
    """The cost of a product of a billing group in a month."""

    unit: str
    month: date
    group: str
    product: str
    amount: Decimal
    as_of: date | None = None
