"""The invented company: its accounts, its charges and what Twilio would report about them.

Pure: no HTTP, and no clock except the day. The same seed gives the same charges everywhere.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import threading
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sandbox.catalogue import (
    NEW_CATEGORIES,
    SOURCES,
    TOTAL,
    TREE,
    Category,
    Product,
    Rhythm,
    Source,
    described,
    product_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

API_KEY_SID = "SK" + "1".zfill(32)
API_KEY_SECRET = "sandbox-api-key-secret"  # noqa: S105 - valid for the sandbox only
AUTH_TOKEN = "sandbox-auth-token"  # noqa: S105 - valid for the sandbox only
MAIN_SID = "AC" + "1".zfill(32)
BILLING_GROUP_IDS = ("commerce_billingprofile_sandbox1", "commerce_billingprofile_sandbox2")
LEGACY_BILLING_GROUP_ID = "commerce_billingprofile_legacy"

_UNUSED_NAMES = Path(__file__).parents[1] / "tap_twilio_usage" / "data" / "categories.csv"
_WEEKDAY_PERCENT = (100, 104, 103, 101, 96, 38, 30)  # Monday to Sunday
_GROWTH_FROM = date(2024, 1, 1)
_MICRO = Decimal("0.000001")
_ZERO = Decimal(0)
_PAID_IN = Decimal(50_000)
_SUSPENDED_AFTER = timedelta(days=150)
_MOST_ACCOUNTS = 1_000_000  # of a company


class Account(NamedTuple):
    """An account as `Accounts.json` describes it; `number` is 1 for the main account.

    `company` is the number of its company.
    """

    number: int
    friendly_name: str
    status: str
    date_created: date
    company: int = 1

    @property
    def place(self) -> int:
        """The number of the account among those of all companies."""
        return (self.company - 1) * _MOST_ACCOUNTS + self.number

    @property
    def sid(self) -> str:
        """The Account SID: `AC` and the number."""
        return "AC" + str(self.place).zfill(32)

    @property
    def auth_token(self) -> str:
        """The Auth Token, which Twilio includes in the account's JSON."""
        return AUTH_TOKEN if self.place == 1 else f"{AUTH_TOKEN}-{self.place}"

    @property
    def restricted_key(self) -> tuple[str, str]:
        """The SID and secret of an API key that reads this account's usage records only."""
        return f"SK{self.place:030}22", f"sandbox-restricted-key-secret-{self.place}"

    @property
    def oauth_app(self) -> tuple[str, str]:
        """The client ID and secret of an OAuth app that reads this account's usage records only."""
        return f"OQ{self.place:030}33", f"sandbox-account-client-secret-{self.place}"

    @property
    def is_main(self) -> bool:
        """Whether this account owns the others."""
        return self.number == 1


class Charge(NamedTuple):
    """Spend in one category, which an overlap category may repeat."""

    account_sid: str
    day: date
    category: str
    events: int
    usage: Decimal
    price: Decimal
    repeated_in: str | None = None


class Trigger(NamedTuple):
    """A usage trigger: the category it watches, and the value at which it fires."""

    number: int
    friendly_name: str
    usage_category: str
    trigger_by: str
    trigger_value: Decimal
    recurring: str

    @property
    def sid(self) -> str:
        """Return the trigger's SID."""
        return f"UT{self.number:032x}"


TRIGGERS = (
    Trigger(1, "Monthly budget", "totalprice", "price", Decimal("25000.50"), "monthly"),
    Trigger(2, "Runaway calls", "calls-outbound", "count", Decimal(10000), "daily"),
    Trigger(3, "All SMS ever", "sms", "usage", Decimal(10000000), ""),
)


class Row(NamedTuple):
    """What Twilio reports for a category and period: its charges and those of its subcategories."""

    category: str
    events: int | None
    usage: Decimal
    price: Decimal


class BillingRow(NamedTuple):
    """What a billing group is charged for a product over a period."""

    product: Product
    unit: str
    usage: Decimal
    price: Decimal


def _draw(*parts: object) -> int:
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def _days(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))


def _unused_names(wanted: int) -> tuple[str, ...]:
    with _UNUSED_NAMES.open(encoding="utf-8", newline="") as file:
        names = {line["category"] for line in csv.DictReader(file)}
    names -= {name.lower() for name in TREE}
    return tuple(sorted(names, key=_draw)[: max(0, wanted)])


def _events(source: Source, day: date, percent: int, draw: int) -> int:
    """Return the number of events of a day, in integer arithmetic to be the same everywhere."""
    if source.rhythm is Rhythm.MONTHLY:
        return -(-source.volume * percent // 100) if day.day == 1 else 0
    if source.rhythm is Rhythm.RARE:
        return source.volume if draw % 12 == 0 else 0
    weekday = _WEEKDAY_PERCENT[day.weekday()] if source.rhythm is Rhythm.BUSINESS else 100
    growth = 1000 + max(-500, (day - _GROWTH_FROM).days)
    noise = 85 + draw % 31
    return source.volume * percent * weekday * growth * noise // 1_000_000_000


def _zero_row(name: str) -> Row:
    return Row(name, None if name == TOTAL else 0, _ZERO, _ZERO)


def _restated(charges: list[Charge], price: Decimal) -> list[Charge]:
    """Return the charges with a new total price, exact to the last decimal, and scaled counts."""
    old = sum((charge.price for charge in charges), _ZERO)
    factor = price / old if old else _ZERO
    scaled = [
        charge._replace(
            events=int(charge.events * factor),
            usage=(charge.usage * factor).quantize(Decimal(1)),
            price=(charge.price * factor).quantize(_MICRO),
        )
        for charge in charges
    ]
    rest = price - sum((charge.price for charge in scaled), _ZERO)
    return [scaled[0]._replace(price=scaled[0].price + rest), *scaled[1:]]


@dataclass(eq=False)
class Company:
    """A customer of Twilio since the day `since`, with charges up to and including `today`.

    `today` of None is the real day, GMT. `categories` is about how many rows a day has: those in
    use and as many that are always zero. The two categories that no table knows are reported from
    `new_category_from` on. `late_fees`, by the first day of a month, are in Twilio's own record of
    that month of the main account and in none of its days. On the day `leaked_key_on`, somebody
    sends a great many messages with the key of the first subaccount. `number` tells several
    companies apart. Every method may be called from any thread.
    """

    seed: int = 1
    since: date = date(2025, 1, 1)
    today: date | None = None
    subaccounts: int = 3
    categories: int = 290
    new_category_from: date = date(2025, 9, 15)
    late_fees: Mapping[date, Decimal] = field(default_factory=dict)
    leaked_key_on: date | None = None
    number: int = 1
    version: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Set up the accounts, the reported categories and the caches."""
        self._lock = threading.Lock()
        self._accounts = {
            account.sid: account for account in map(self._account, range(1, self.subaccounts + 2))
        }
        self._first_seen = dict.fromkeys(NEW_CATEGORIES, self.new_category_from)
        used = [name for name in TREE if name not in NEW_CATEGORIES]
        unused = _unused_names(self.categories - len(used))
        self._tree = {**{name: described(name) for name in unused}, **TREE}
        self._names = tuple(sorted((*used, *unused), key=_draw))
        self._zero_rows = {name: _zero_row(name) for name in self._tree}
        self._changed: dict[tuple[str, date], tuple[Charge, ...]] = {}
        self._generated: Callable[[str, date], tuple[Charge, ...]] = functools.lru_cache(16384)(
            self._generate
        )
        self._account_sums: Callable[..., tuple[Charge, ...]] = functools.lru_cache(65536)(
            self._sum_account
        )
        self._sparse_rows: Callable[..., dict[str, Row]] = functools.lru_cache(4096)(self._roll_up)
        self._billing_rows: Callable[..., tuple[BillingRow, ...]] = functools.lru_cache(4096)(
            self._bill
        )

    def _account(self, number: int) -> Account:
        suffix = f" of Company {self.number}" if self.number > 1 else ""
        if number == 1:
            return Account(1, f"Sandbox{suffix or ' Company'}", "active", self.since, self.number)
        status = {3: "suspended", 4: "closed"}.get(number, "active")
        # The first four begin two weeks apart; with this gap, hundreds would take years.
        created = self.since + timedelta(days=14 * ((number - 1) % 4))
        name = f"Sandbox Subaccount {number - 1}{suffix}"
        return Account(number, name, status, created, self.number)

    @property
    def main_sid(self) -> str:
        """The SID of the main account."""
        return next(iter(self._accounts))

    def last_day(self) -> date:
        """Return today, GMT: the last day that has usage."""
        return self.today or datetime.now(timezone.utc).date()

    def accounts(self) -> tuple[Account, ...]:
        """Return the main account and the subaccounts that exist today, oldest first."""
        today = self.last_day()
        return tuple(a for a in self._accounts.values() if a.is_main or a.date_created <= today)

    def category(self, name: str) -> Category:
        """Return the category's true parent, description and units."""
        return self._tree[name]

    def reported(self, day: date) -> tuple[str, ...]:
        """Return the categories that have a row on the day, used or not, in row order."""
        seen = tuple(self._first_seen.items())
        return self._names + tuple(name for name, first in seen if first <= day)

    def charges(self, account: str, day: date) -> tuple[Charge, ...]:
        """Return the account's own charges of the day; there are none in the future."""
        if not self._accounts[account].date_created <= day <= self.last_day():
            return ()
        changed = self._changed.get((account, day))
        return self._generated(account, day) if changed is None else changed

    def rows(
        self,
        first: date,
        last: date | None = None,
        account: str | None = None,
        *,
        include_subaccounts: bool = True,
    ) -> list[Row]:
        """Return Twilio's rows for a period of one or more days, one for each reported category."""
        last = min(last or first, self.last_day())
        account = account or self.main_sid
        found = self._sparse_rows(self.version, account, first, last, include_subaccounts)
        return [found.get(name) or self._zero_rows[name] for name in self.reported(last)]

    def month_rows(
        self,
        first: date,
        last: date,
        account: str | None = None,
        *,
        include_subaccounts: bool = True,
    ) -> list[Row]:
        """Return the rows of a month, or of a part of it, as `Monthly` has them."""
        rows = self.rows(first, last, account, include_subaccounts=include_subaccounts)
        fee = (
            self.late_fees.get(first.replace(day=1), _ZERO)
            if account in {None, self.main_sid}
            else _ZERO
        )
        return [
            row._replace(price=row.price + fee, usage=row.usage + fee)
            if row.category == TOTAL
            else row
            for row in rows
        ]

    def truth(
        self, day: date, account: str | None = None, *, include_subaccounts: bool = True
    ) -> dict[str, Decimal]:
        """Return the spend of each category without its subcategories; the rest is `totalprice`."""
        homes: dict[str, Decimal] = {}
        for sid in self._included(
            account or self.main_sid, include_subaccounts=include_subaccounts
        ):
            for charge in self.charges(sid, day):
                homes[charge.category] = homes.get(charge.category, _ZERO) + charge.price
        return homes

    def total(
        self, day: date, account: str | None = None, *, include_subaccounts: bool = True
    ) -> Decimal:
        """Return the spend of the day, which is the price of the `totalprice` row."""
        homes = self.truth(day, account, include_subaccounts=include_subaccounts)
        return sum(homes.values(), _ZERO)

    def balance(self) -> Decimal:
        """Return what is left of the money that is paid in on the first of each month."""
        today = self.last_day()
        spent = sum((self.total(day) for day in _days(today.replace(day=1), today)), _ZERO)
        return _PAID_IN - spent

    def billed_accounts(self, group: str) -> tuple[str, ...]:
        """Return the SIDs of a billing group; accounts are assigned in turn, the main one first."""
        turn = BILLING_GROUP_IDS.index(group)
        return tuple(self._accounts)[turn :: len(BILLING_GROUP_IDS)]

    def billing_rows(self, group: str, first: date, last: date) -> tuple[BillingRow, ...]:
        """Return the group's charges of a period: one row for each product that is not all zero."""
        last = min(last, self.last_day())
        return self._billing_rows(self.version, group, first, last)

    def billing_total(self, group: str, day: date) -> Decimal:
        """Return the spend of the group's day; the sum of all groups is `total`."""
        charges = (c for sid in self.billed_accounts(group) for c in self.charges(sid, day))
        return sum((charge.price for charge in charges), _ZERO)

    def restate(
        self,
        day: date,
        category: str,
        *,
        price: Decimal | str | int | None = None,
        price_factor: Decimal | str | int | None = None,
        account: str | None = None,
    ) -> None:
        """Change a past day: set a new price, or a factor, for the category's own charges.

        An overlap category restates the charges that it repeats. Raises ValueError if there is
        nothing to apply a factor to.
        """
        account = account or self.main_sid
        with self._lock:
            kept, own = self._split(account, day, category)
            if price is None:
                if not own or price_factor is None:
                    message = f"{category} has no charge on {day}: use a price, not a factor"
                    raise ValueError(message)
                old = sum((charge.price for charge in own), _ZERO)
                price = (old * Decimal(price_factor)).quantize(_MICRO)
            own = own or [Charge(account, day, category, 1, Decimal(1), _ZERO)]
            self._report(category, day, TOTAL)
            self._change(account, day, (*kept, *_restated(own, Decimal(price))))

    def charge(
        self,
        day: date,
        category: str,
        price: Decimal | str | int,
        *,
        parent: str = TOTAL,
        account: str | None = None,
    ) -> None:
        """Add a charge of one event; a category seen for the first time gets the given parent."""
        account = account or self.main_sid
        with self._lock:
            new = Charge(account, day, category, 1, Decimal(1), Decimal(price))
            self._report(category, day, parent)
            self._change(account, day, (*self._stored(account, day), new))

    def _included(self, account: str, *, include_subaccounts: bool) -> tuple[str, ...]:
        if include_subaccounts and self._accounts[account].is_main:
            return tuple(self._accounts)
        return (account,)

    def _stored(self, account: str, day: date) -> tuple[Charge, ...]:
        return self._changed.get((account, day), self._generated(account, day))

    def _split(self, account: str, day: date, category: str) -> tuple[list[Charge], list[Charge]]:
        kept: list[Charge] = []
        own: list[Charge] = []
        for charge in self._stored(account, day):
            mine = category in (charge.category, charge.repeated_in)
            (own if mine else kept).append(charge)
        return kept, own

    def _change(self, account: str, day: date, charges: tuple[Charge, ...]) -> None:
        self._changed[account, day] = charges
        # Part of the cache key, so that no roll-up computed before the change is used after it.
        self.version += 1

    def _report(self, category: str, day: date, parent: str) -> None:
        self._tree.setdefault(category, described(category, parent))
        self._zero_rows.setdefault(category, _zero_row(category))
        if category not in self._names:
            self._first_seen[category] = min(day, self._first_seen.get(category, day))

    def _generate(self, account: str, day: date) -> tuple[Charge, ...]:
        owner = self._accounts[account]
        found = (self._draw_charge(source, owner, day) for source in SOURCES)
        return tuple(charge for charge in found if charge is not None)

    def _draw_charge(self, source: Source, account: Account, day: date) -> Charge | None:
        if source.category in NEW_CATEGORIES and day < self.new_category_from:
            return None
        percent = self._share(source, account, day)
        if not percent:
            return None
        if day == self.leaked_key_on and account.number == 2 and source.family == "sms":  # noqa: PLR2004
            percent *= 40
        draw = _draw(self.seed, account.sid, day, source.key)
        events = _events(source, day, percent, draw)
        if not events:
            return None
        usage = Decimal(events * source.usage_per_event)
        price = usage * source.unit_price
        return Charge(account.sid, day, source.category, events, usage, price, source.repeated_in)

    def _share(self, source: Source, account: Account, day: date) -> int:
        """Return the account's size for this source, in percent of the main account; 0: unused."""
        if account.is_main:
            return 100
        if account.status == "closed" or source.main_only:
            return 0
        usage_ended = day >= account.date_created + _SUSPENDED_AFTER
        if account.status == "suspended" and usage_ended and source.rhythm is not Rhythm.MONTHLY:
            return 0
        return _subaccount_share(account.number, source.family)

    def _roll_up(
        self,
        _version: int,
        account: str,
        first: date,
        last: date,
        include_subaccounts: bool,  # noqa: FBT001 - a cache key is positional
    ) -> dict[str, Row]:
        rows: dict[str, Row] = {}
        included = self._included(account, include_subaccounts=include_subaccounts)
        for amount in self._sums(included, first, last):
            for name in self._shown_in(amount):
                rows[name] = _added(rows.get(name), name, amount)
        total = rows.get(TOTAL)
        if total is not None:
            rows[TOTAL] = total._replace(events=None, usage=total.price)
        return rows

    def _bill(self, _version: int, group: str, first: date, last: date) -> tuple[BillingRow, ...]:
        rows: dict[Product, BillingRow] = {}
        for amount in self._sums(self.billed_accounts(group), first, last):
            category = self._tree[amount.category]
            product = product_of(category)
            row = rows.get(product) or BillingRow(product, category.usage_unit, _ZERO, _ZERO)
            rows[product] = row._replace(
                usage=row.usage + amount.usage, price=row.price + amount.price
            )
        return tuple(row for row in rows.values() if row.usage or row.price)

    def _sums(self, sids: Iterable[str], first: date, last: date) -> list[Charge]:
        """Return the charges summed by category and overlap, so that few are left to roll up."""
        if first == last:
            return _summed(charge for sid in sids for charge in self.charges(sid, first))
        version, today = self.version, self.last_day()
        return _summed(
            charge
            for sid in sids
            for charge in self._account_sums(version, today, sid, first, last)
        )

    def _sum_account(
        self, _version: int, _today: date, sid: str, first: date, last: date
    ) -> tuple[Charge, ...]:
        days = _days(first, last)
        return tuple(_summed(charge for day in days for charge in self.charges(sid, day)))

    def _shown_in(self, charge: Charge) -> set[str]:
        """Return the categories whose rows include the charge."""
        return {*self._path(charge.category), *self._path(charge.repeated_in or TOTAL)}

    def _path(self, category: str) -> Iterator[str]:
        """Yield the category and all categories that contain it, up to `totalprice`."""
        while category:
            yield category
            category = self._tree[category].parent


def connections(companies: Iterable[Company]) -> list[dict[str, str]]:
    """Return the tap's setting `connections`, for `subaccounts: separate`, with Restricted keys."""
    return [
        {
            "account_sid": account.sid,
            "name": account.friendly_name,
            "api_key_sid": account.restricted_key[0],
            "api_key_secret": account.restricted_key[1],
        }
        for company in companies
        for account in company.accounts()
    ]


def _summed(charges: Iterable[Charge]) -> list[Charge]:
    sums: dict[tuple[str, str | None], Charge] = {}
    for charge in charges:
        key = (charge.category, charge.repeated_in)
        known = sums.get(key)
        sums[key] = charge if known is None else _merged(known, charge)
    return list(sums.values())


def _merged(known: Charge, new: Charge) -> Charge:
    return Charge(
        known.account_sid,
        known.day,
        known.category,
        known.events + new.events,
        known.usage + new.usage,
        known.price + new.price,
        known.repeated_in,
    )


def _added(row: Row | None, name: str, amount: Charge) -> Row:
    if row is None:
        return Row(name, amount.events, amount.usage, amount.price)
    events = (row.events or 0) + amount.events
    return Row(name, events, row.usage + amount.usage, row.price + amount.price)


@functools.cache
def _subaccount_share(number: int, family: str) -> int:
    uses = family in {"phonenumbers", "sms", "calls"} or _draw(number, family) % 2
    return max(1, 60 // number) if uses else 0
