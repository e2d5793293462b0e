"""The company's invoice of a month, as the CSV that Twilio's customers describe.

It has the columns `Project`, `Company Name`, `Item Category`, `Item Group`, `Item`, `Quantity` and
`Amount (USD)`, amounts such as $1,234.50 in cents, and rows of `All Accounts Combined` that repeat
those of the accounts. The account, the month and the invoice's number are in the file's name. The
names of the item groups and how Twilio rounds are the sandbox's choice.
"""

from __future__ import annotations

import csv
import io
from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, NamedTuple

from sandbox.catalogue import NEW_CATEGORIES, TOTAL
from sandbox.company import MAIN_SID, Account, Company

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

COMBINED = "All Accounts Combined"
HEADER = (
    *("Project", "Company Name", "Item Category", "Item Group", "Item", "Quantity"),
    "Amount (USD)",
)
LATE = ("Programmable Messaging", "Carrier Fees, Late")
LICENCE = ("Flex", "Flex Named Users")
_LICENCES, _LICENCE_PRICE = 12, Decimal("150.00")
_TAXES = (("State Sales Tax", Decimal("0.0625")), ("Federal Universal Service", Decimal("0.0042")))
_CREDITS = (("Promotional Credit", Decimal("-75.00")), ("Support Credit", Decimal("-12.34")))
_CENT = Decimal("0.01")
_ZERO = Decimal(0)

# The item group of a category, or of the nearest one above it.
_GROUPS = {
    TOTAL: "Other Charges",
    **dict.fromkeys(
        (
            *("calls", "calls-client", "calls-sip", "conference", "agent-conference"),
            *("recordings", "calls-text-to-speech", "answering-machine-detection"),
            *("speech-recognition", "transcriptions", "voice-insights"),
        ),
        "Programmable Voice",
    ),
    "recordingstorage": "Recording Storage",
    "elastic-sip-trunking": "Elastic SIP Trunking",
    "trunking-recordings": "Elastic SIP Trunking",
    "voice-intelligence": "Voice Intelligence",
    "channels": "Programmable Messaging",
    "channels-messaging": "Messaging Channels",
    "mms": "MMS Messages",
    "mms-messages-carrierfees": "MMS Messaging - Carrier Fees",
    "phonenumbers": "Phone Numbers",
    "phonenumbers-setups": "Phone Numbers",
    "shortcodes": "Short Codes",
    "pv": "Programmable Video",
    "account-security": "Verify",
    "lookups": "Lookups",
    "pchat": "Programmable Chat",
    "studio": "Studio",
    "task-router": "TaskRouter",
    "sync": "Sync",
    "flex": "Flex",
    "events": "Event Streams",
    "wireless": "Programmable Wireless",
    "premiumsupport": "Support Plans",
    "min-spend-adjustments": "Adjustments",
    "credit-transfer": "Adjustments",
    **dict.fromkeys(NEW_CATEGORIES, "Beta Products"),
}


class Line(NamedTuple):
    """A line. `reason` is why its amount differs from `reported`, what Twilio's days say of it.

    Where they say something, `usage_category` is the category that has it.
    """

    account: Account | None
    category: str
    group: str
    item: str
    quantity: Decimal | None
    amount: Decimal
    reported: Decimal
    reason: str
    usage_category: str | None = None


@dataclass(frozen=True)
class Invoice:
    """An invoice of a calendar month for all accounts of the company."""

    number: str
    first: date
    last: date
    lines: tuple[Line, ...]

    @property
    def file_name(self) -> str:
        """The name under which Twilio offers the file."""
        return f"{MAIN_SID}-{self.first:%Y-%m}-{self.number}.csv"

    @property
    def total(self) -> Decimal:
        """What is to be paid."""
        return sum((line.amount for line in self.lines), _ZERO)

    def csv(self) -> str:
        """Return the content of the file."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(HEADER)
        sums: dict[tuple[str, str, str], Line] = {}
        for line in self.lines:
            key = (line.category, line.group, line.item)
            known = sums.get(key)
            sums[key] = line if known is None else _added(known, line)
        writer.writerows(_cells(line, COMBINED) for line in sums.values())
        of_accounts = (line for line in self.lines if line.account)
        writer.writerows(_cells(line) for line in of_accounts)
        return text.getvalue()


def invoice(company: Company, month: date) -> Invoice:
    """Return the invoice of a month that is over. Raises ValueError for another one."""
    first = month.replace(day=1)
    last = month.replace(day=monthrange(month.year, month.month)[1])
    if company.last_day() <= last:
        message = f"the month {month:%Y-%m} is not over"
        raise ValueError(message)
    usage = [line for each in company.accounts() for line in _usage(company, each, first, last)]
    spent = sum((line.amount for line in usage), _ZERO)
    main, *_ = company.accounts()
    quantity, price = Decimal(_LICENCES), _LICENCES * _LICENCE_PRICE
    more = [Line(main, "Service", *LICENCE, quantity, price, _ZERO, "not_in_api")]
    fee = company.late_fees.get(first)
    if fee:
        more.append(Line(main, "Fees", *LATE, None, _cents(fee), _ZERO, "late"))
    more += [_of_all("Taxes", item, _cents(spent * rate), "tax") for item, rate in _TAXES]
    more += [_of_all("Credits", item, amount, "credit") for item, amount in _CREDITS]
    number = f"IV{company.seed}{first:%Y%m}"
    return Invoice(number, first, last, (*usage, *more))


def _usage(company: Company, account: Account, first: date, last: date) -> Iterator[Line]:
    prices: dict[str, Decimal] = {}
    quantities: dict[str, Decimal] = {}
    for number in range(first.day, last.day + 1):
        for charge in company.charges(account.sid, first.replace(day=number)):
            name = charge.category
            prices[name] = prices.get(name, _ZERO) + charge.price
            quantities[name] = quantities.get(name, _ZERO) + charge.usage
    for name, price in prices.items():
        if price:
            yield Line(
                account,
                "Service",
                _group(company, name),
                company.category(name).description,
                quantities[name],
                _cents(price),
                price,
                "rounding",
                name,
            )


def _group(company: Company, name: str) -> str:
    while name not in _GROUPS:
        name = company.category(name).parent
    return _GROUPS[name]


def _of_all(category: str, item: str, amount: Decimal, reason: str) -> Line:
    return Line(None, category, category, item, None, amount, _ZERO, reason)


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, rounding=ROUND_HALF_UP)


def _added(known: Line, new: Line) -> Line:
    quantity = (known.quantity or _ZERO) + (new.quantity or _ZERO)
    return known._replace(amount=known.amount + new.amount, quantity=quantity)


def _cells(line: Line, project: str | None = None) -> Iterable[str]:
    name = line.account.friendly_name if line.account else ""
    quantity = "" if line.quantity is None else f"{line.quantity:,f}"
    sign = "-" if line.amount < 0 else ""
    amount = f"{sign}${abs(line.amount):,f}"
    company = "" if project else "Sandbox Company"
    return project or name, company, line.category, line.group, line.item, quantity, amount
