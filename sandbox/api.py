"""Twilio's API 2010-04-01 without sockets: authentication, routes and answers."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
import zlib
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import urlencode

from sandbox.catalogue import TOTAL, Category
from sandbox.company import (
    API_KEY_SECRET,
    API_KEY_SID,
    TRIGGERS,
    Account,
    Company,
    Row,
    Trigger,
)
from sandbox.errors import forbidden, invalid, not_found, unauthorized
from sandbox.periods import Period, cut, named_period, read_day
from sandbox.wire import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Order = Literal["newest", "oldest"]

_VERSION = "2010-04-01"
_DEFAULT_PAGE_SIZE = 50
_MAX_PAGE_SIZE = 1000
_OFFSET = re.compile(r"([+\- ]?)([0-9]{1,6})days?")
_SUBRESOURCES = {
    "all_time": "AllTime",
    "daily": "Daily",
    "last_month": "LastMonth",
    "monthly": "Monthly",
    "this_month": "ThisMonth",
    "today": "Today",
    "yearly": "Yearly",
    "yesterday": "Yesterday",
}
_MOST_PAGES_KEPT = 4000  # over ten years of full pages: about 350 MB compressed
_AS_OF = b"(as of this read)"
_RECORDS_PARAMETERS = ("Category", "StartDate", "EndDate", "IncludeSubaccounts")


class Caller(NamedTuple):
    """The account whose credentials a request has.

    With `only_usage` they have no other permission than to read usage records.
    """

    sid: str
    by_api_key: bool
    only_usage: bool = False


class Page(NamedTuple):
    """The requested part of a list."""

    number: int
    size: int

    @property
    def start(self) -> int:
        """The index of its first item."""
        return self.number * self.size


class Listed(NamedTuple):
    """The items of a page as JSON, and the total number of items."""

    key: str
    texts: list[str]
    total: int


@dataclass(frozen=True)
class Api:
    """Twilio's REST API for a company."""

    company: Company
    order: Order = "newest"
    _pages: dict[tuple[object, ...], bytes] = field(default_factory=dict, init=False)

    def authenticate(self, authorization: str | None) -> Caller:
        """Return the caller of the `Authorization` header; raise ApiError 401 if there is none."""
        scheme, _, encoded = (authorization or "").partition(" ")
        try:
            pair = base64.b64decode(encoded, validate=True).decode()
        except ValueError:
            raise unauthorized("Basic") from None
        user, _, password = pair.partition(":")
        if scheme.lower() == "basic":
            if (user, password) == (API_KEY_SID, API_KEY_SECRET) and self.company.number == 1:
                return Caller(self.company.main_sid, by_api_key=True)
            for account in self.company.accounts():
                if (user, password) == (account.sid, account.auth_token):
                    return Caller(account.sid, by_api_key=False)
                if (user, password) == account.restricted_key:
                    return Caller(account.sid, by_api_key=True, only_usage=True)
        raise unauthorized("Basic")

    def get(self, path: str, query: Mapping[str, str], caller: Caller) -> bytes:
        """Return the JSON of a resource; raise ApiError for every other answer."""
        for pattern, handler in _ROUTES:
            match = pattern.fullmatch(path)
            if match:
                if caller.only_usage and handler is not Api.records:
                    raise unauthorized("Basic") if handler is not Api.triggers else forbidden()
                return handler(self, Request(path, match.groupdict(), query, caller))
        raise not_found(path)

    def records(self, request: Request) -> bytes:
        """Return a page of usage records: cached, but with the time of this request."""
        account = self._account(request)
        asked = tuple(sorted(request.query.items()))
        key = (request.path, asked, self.company.version, self.company.last_day())
        packed = self._pages.get(key)
        if packed is None:
            packed = self._pages[key] = zlib.compress(self._records_page(request, account), 1)
            for old in list(self._pages)[:-_MOST_PAGES_KEPT]:
                self._pages.pop(old, None)
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S+00:00")
        return zlib.decompress(packed).replace(_AS_OF, now.encode())

    def _records_page(self, request: Request, account: Account) -> bytes:
        resource = request.parts["resource"] or "AllTime"
        include = request.query.get("IncludeSubaccounts", "true").lower() != "false"
        periods = cut(resource, self._range(request, account, resource))
        if self.order == "newest":
            periods.reverse()
        named = request.query.get("Category")

        def count(period: Period) -> int:
            names = self.company.reported(period.last)
            return len(names) if named is None else names.count(named)

        rows_of = self.company.month_rows if resource == "Monthly" else self.company.rows
        counts = [count(period) for period in periods]
        page = _page(request, _RECORDS_PARAMETERS)
        texts: list[str] = []
        for period, part in _overlapping(periods, counts, page):
            rows = rows_of(*period, account.sid, include_subaccounts=include)
            if named is not None:
                rows = [row for row in rows if row.category == named]
            texts += self._rendered(account.sid, request.parts["resource"], period, rows[part])
        return _envelope(
            request, _RECORDS_PARAMETERS, page, Listed("usage_records", texts, sum(counts))
        )

    def _rendered(
        self, sid: str, resource: str | None, period: Period, rows: list[Row]
    ) -> Iterator[str]:
        first, last = map(str, period)
        for row in rows:
            count = "" if row.events is None else row.events
            price = plain(row.price)
            a, b, c, d, e, f, g, h, i = _record_texts(
                sid, resource, self.company.category(row.category)
            )
            yield (
                f"{a}{_AS_OF.decode()}{b}{count}{c}{last}{d}{price}{e}{first}"
                f"{f}{first}{g}{last}{h}{plain(row.usage)}{i}"
            )

    def account_list(self, request: Request) -> bytes:
        """Return a page of the accounts that the caller can see, newest first as in Twilio."""
        if request.caller.by_api_key:
            raise unauthorized("Basic")
        seen = [
            a
            for a in self.company.accounts()
            if request.caller.sid in (self.company.main_sid, a.sid)
        ]
        seen.reverse()
        page = _page(request, ())
        texts = [self._account_json(account) for account in seen[page.start :][: page.size]]
        return _envelope(request, (), page, Listed("accounts", texts, len(seen)))

    def account(self, request: Request) -> bytes:
        """Return one account."""
        return self._account_json(self._account(request)).encode()

    def _account_json(self, account: Account) -> str:
        uri = f"{_ACCOUNTS}/{account.sid}"
        created = _mail_date(account.date_created)
        record = {
            "auth_token": account.auth_token,
            "date_created": created,
            "date_updated": created,
            "friendly_name": account.friendly_name,
            "owner_account_sid": self.company.main_sid,
            "sid": account.sid,
            "status": account.status,
            "subresource_uris": {"usage": f"{uri}/Usage.json"},
            "type": "Full",
            "uri": f"{uri}.json",
        }
        return json.dumps(record)

    def balance(self, request: Request) -> bytes:
        """Return the balance: only the main account has one."""
        account = self._account(request)
        if not account.is_main:
            raise not_found(request.path)
        balance = {"account_sid": account.sid, "balance": plain(self.company.balance())}
        return json.dumps({**balance, "currency": "USD"}).encode()

    def triggers(self, request: Request) -> bytes:
        """Return a page of the account's usage triggers: only the main account has any."""
        account = self._account(request)
        triggers = TRIGGERS if account.is_main else ()
        page = _page(request, ())
        shown = triggers[page.start :][: page.size]
        texts = [json.dumps(self._trigger(trigger, account)) for trigger in shown]
        return _envelope(request, (), page, Listed("usage_triggers", texts, len(triggers)))

    def _trigger(self, trigger: Trigger, account: Account) -> dict[str, str | None]:
        uri = f"{_ACCOUNTS}/{account.sid}/Usage"
        created = _mail_date(account.date_created)
        return {
            "account_sid": account.sid,
            "api_version": _VERSION,
            "callback_method": "POST",
            "callback_url": "https://example.com/alert",
            "current_value": plain(self._value(trigger, account)),
            "date_created": created,
            "date_fired": None,
            "date_updated": created,
            "friendly_name": trigger.friendly_name,
            "recurring": trigger.recurring,
            "sid": trigger.sid,
            "trigger_by": trigger.trigger_by,
            "trigger_value": plain(trigger.trigger_value),
            "uri": f"{uri}/Triggers/{trigger.sid}.json",
            "usage_category": trigger.usage_category,
            "usage_record_uri": f"{uri}/Records.json?Category={trigger.usage_category}",
        }

    def _value(self, trigger: Trigger, account: Account) -> Decimal:
        """Return the trigger's value in its current period."""
        today = self.company.last_day()
        first = {"daily": today, "monthly": today.replace(day=1)}.get(
            trigger.recurring, account.date_created
        )
        rows = self.company.rows(max(first, account.date_created), today, account.sid)
        (row,) = (row for row in rows if row.category == trigger.usage_category)
        value = {"price": row.price, "count": row.events, "usage": row.usage}[trigger.trigger_by]
        return Decimal(value or 0)

    def _account(self, request: Request) -> Account:
        sid = request.parts["sid"]
        if sid != request.caller.sid and request.caller.by_api_key:
            raise unauthorized("Basic")
        for account in self.company.accounts():
            if account.sid == sid and request.caller.sid in (self.company.main_sid, sid):
                return account
        raise not_found(request.path)

    def _range(self, request: Request, account: Account, resource: str) -> Period:
        """Return the requested days that the account has; raise ApiError 404 if there are none."""
        today = self.company.last_day()
        asked = named_period(resource, today) or Period(
            _day(request.query, "StartDate", today) or account.date_created,
            _day(request.query, "EndDate", today) or today,
        )
        kept = Period(max(asked.first, account.date_created), min(asked.last, today))
        if asked.last < asked.first or kept.last < kept.first:
            raise not_found(request.path)
        return kept


class Request(NamedTuple):
    """A request for a known path: the parts of the path, the query and the caller."""

    path: str
    parts: dict[str, str | None]
    query: Mapping[str, str]
    caller: Caller


_ACCOUNTS = f"/{_VERSION}/Accounts"
_ROUTES: tuple[tuple[re.Pattern[str], Callable[[Api, Request], bytes]], ...] = (
    (
        re.compile(
            rf"{_ACCOUNTS}/(?P<sid>[^/.]+)/Usage/Records"
            rf"(?:/(?P<resource>{'|'.join(_SUBRESOURCES.values())}))?(?:\.json)?"
        ),
        Api.records,
    ),
    (re.compile(rf"{_ACCOUNTS}/(?P<sid>[^/.]+)/Balance(?:\.json)?"), Api.balance),
    (re.compile(rf"{_ACCOUNTS}/(?P<sid>[^/.]+)/Usage/Triggers(?:\.json)?"), Api.triggers),
    (re.compile(rf"{_ACCOUNTS}(?:\.json)?"), Api.account_list),
    (re.compile(rf"{_ACCOUNTS}/(?P<sid>[^/.]+)(?:\.json)?"), Api.account),
)


def _day(query: Mapping[str, str], name: str, today: date) -> date | None:
    text = query.get(name)
    if text is None:
        return None
    offset = _OFFSET.fullmatch(text)
    try:
        if offset:
            days = int(offset[2])
            return today + timedelta(days=-days if offset[1] == "-" else days)
    except OverflowError:
        raise invalid(name) from None
    day = read_day(text)
    if day is None:
        raise invalid(name)
    return day


def _overlapping(
    periods: list[Period], counts: list[int], page: Page
) -> Iterator[tuple[Period, slice]]:
    """Yield the periods of the page, each with the slice of its rows."""
    position = 0
    for period, count in zip(periods, counts, strict=True):
        first = max(0, page.start - position)
        last = min(count, page.start + page.size - position)
        if first < last:
            yield period, slice(first, last)
        position += count


def _page(request: Request, parameters: tuple[str, ...]) -> Page:
    """Return the requested page; raise ApiError if its token was not issued for it."""
    query = request.query
    size = _whole(query, "PageSize", default=_DEFAULT_PAGE_SIZE, least=1)
    page = Page(_whole(query, "Page", default=0, least=0), min(size, _MAX_PAGE_SIZE))
    token = query.get("PageToken")
    if (page.number or token) and token != _token(request, page, parameters):
        raise invalid("PageToken")
    return page


def _whole(query: Mapping[str, str], name: str, *, default: int, least: int) -> int:
    text = query.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < least:
        raise invalid(name)
    return int(text)


def _token(request: Request, page: Page, parameters: tuple[str, ...]) -> str:
    """Return an opaque token that is valid for one page of one list only."""
    asked = [request.query.get(name) for name in parameters]
    seen = repr((request.path, asked, page)).encode()
    return "PA" + hashlib.blake2b(seen, digest_size=16).hexdigest()


def _envelope(request: Request, parameters: tuple[str, ...], page: Page, listed: Listed) -> bytes:
    asked = {name: request.query[name] for name in parameters if name in request.query}

    def uri(number: int) -> str:
        query = {**asked, "PageSize": str(page.size), "Page": str(number)}
        if number:
            query["PageToken"] = _token(request, Page(number, page.size), parameters)
        return f"{request.path}?{urlencode(query)}"

    paging = {
        "first_page_uri": uri(0),
        "next_page_uri": uri(page.number + 1) if page.start + page.size < listed.total else None,
        "previous_page_uri": uri(page.number - 1) if page.number else None,
        "uri": uri(page.number),
        "page": page.number,
        "page_size": page.size,
        "start": page.start,
        "end": max(page.start, min(page.start + page.size, listed.total) - 1),
    }
    head = f'{json.dumps(paging)[:-1]}, "{listed.key}": ['
    return f"{head}{', '.join(listed.texts)}]}}".encode()


@functools.lru_cache(maxsize=65536)
def _record_texts(sid: str, resource: str | None, category: Category) -> tuple[str, ...]:
    # Most of a record's bytes never change; rendering all of them takes ten times as long.
    base = f"{_ACCOUNTS}/{sid}/Usage/Records"
    named = urlencode({"Category": category.name})
    path = f"{base}/{resource}" if resource else base
    record = {
        "account_sid": sid,
        "api_version": _VERSION,
        "as_of": "@",
        "category": category.name,
        "count": "@",
        "count_unit": category.count_unit,
        "description": category.description,
        "end_date": "@",
        "price": "@",
        "price_unit": "usd",
        "start_date": "@",
        "subresource_uris": {
            key: f"{base}/{name}.json?{named}" for key, name in _SUBRESOURCES.items()
        },
        "uri": f"{path}.json?{named}&StartDate=@&EndDate=@",
        "usage": "@",
        "usage_unit": category.usage_unit,
    }
    text = json.dumps(record)
    if category.name == TOTAL:
        text = text.replace('"count": "@"', '"count": null@')
    return tuple(text.split("@"))


def _mail_date(day: date) -> str:
    return day.strftime("%a, %d %b %Y 00:00:00 +0000")
