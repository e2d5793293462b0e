# ruff: noqa: RUF001  (digits of other scripts are meant)
"""Random mutations of Twilio's answers: real pages of the sandbox, one of which is changed.

To run it for longer: `python -m tests.hostile --seed 1 --runs 1000`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import logging
import re
import sys
import tempfile
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import jsonschema
import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter

from sandbox import (
    AUTH_TOKEN,
    BILLING_GROUP_IDS,
    CLIENT_ID,
    CLIENT_SECRET,
    MAIN_SID,
    Company,
    Server,
)
from sandbox.errors import ApiError as SandboxError
from sandbox.oauth import TOKEN_PATH
from sandbox.wire import Body
from tap_twilio_usage.logs.heartbeat import Heartbeat
from tap_twilio_usage.logs.redaction import Redactor
from tap_twilio_usage.twilio.auth import Basic, Credentials, OAuth, Unsigned
from tap_twilio_usage.twilio.client import Client
from tap_twilio_usage.twilio.limits import Limits
from tap_twilio_usage.twilio.periods import GRANULARITIES
from tests.canary import leaks
from tests.conftest import Run, catalog_of, clean_environment
from tests.forked import Forked, Overrides, preload
from tests.http_server import Answer, Request, serve

TODAY = datetime.now(timezone.utc).date()
FIRST = TODAY - timedelta(days=3)
LONGEST_LINE = 1000
LOGGER = logging.getLogger(__name__)
LIMITS = Limits(pace=1e6)  # without noticeable waits

Answers = Callable[[Request], Answer]


# --- Real answers


@dataclass(eq=False)
class Few(Company):
    """A company with few categories, whose pages are quick to read."""

    names: tuple[str, ...] = (
        "totalprice",
        "sms",
        "sms-outbound",
        "calls",
        "calls-outbound",
        "phonenumbers",
        "a2p-registration-fees",
    )

    def reported(self, day: date) -> tuple[str, ...]:
        return tuple(name for name in super().reported(day) if name in self.names)


@cache
def sandbox() -> Server:
    return Server(Few(today=TODAY, subaccounts=2))


def real(request: Request) -> Answer:
    """Return the answer of the sandbox."""
    authorization = request.headers.get("Authorization")
    is_post = request.path == TOKEN_PATH or request.path.startswith("/v2/")
    try:
        if is_post:
            kind = request.headers.get("Content-Type", "").partition(";")[0]
            body = sandbox().post(request.path, Body(kind, request.body), authorization)
        else:
            body = sandbox().get(request.path, dict(request.query), authorization)
    except SandboxError as error:
        return Answer(error.body(), error.status, error.headers)
    return Answer(body, headers={"Content-Type": "application/json"})


# --- JSON text, including invalid tokens and duplicate keys


class Raw(str):
    """A part of a JSON text, not parsed."""

    __slots__ = ()


class Members(list[tuple[str, Any]]):
    """A JSON object."""


def parse(text: bytes) -> Any:
    return json.loads(text, parse_float=Raw, parse_int=Raw, object_pairs_hook=Members)


def write(node: Any) -> str:
    if isinstance(node, Raw):
        return node
    if isinstance(node, Members):
        return "{" + ", ".join(f"{write(key)}: {write(value)}" for key, value in node) + "}"
    if isinstance(node, list):
        return "[" + ", ".join(map(write, node)) + "]"
    return json.dumps(node)


@dataclass(frozen=True, eq=False)
class Place:
    """The place of a value: an index in a list or an object."""

    inside: list[Any]
    index: int

    @property
    def value(self) -> Any:
        found = self.inside[self.index]
        return found[1] if isinstance(self.inside, Members) else found

    def put(self, value: Any) -> None:
        if isinstance(self.inside, Members):
            self.inside[self.index] = (self.inside[self.index][0], value)
        else:
            self.inside[self.index] = value


def places(node: Any) -> Iterator[Place]:
    if isinstance(node, list):
        for index in range(len(node)):
            place = Place(node, index)
            yield place
            yield from places(place.value)


def _holds(node: Any, inside: list[Any]) -> bool:
    return node is inside or any(place.value is inside for place in places(node))


# --- Mutations of the JSON

CHARACTERS = (
    "\0",
    "\x1b[31m",
    "\n",
    "\r\n",
    "\x7f",
    "\x85",
    "\u2028",
    "\u202e",
    "\u200f",
    "\ufeff",
)
ODD_TEXTS = (
    *("", " ", *CHARACTERS, "é", "😀", "\U0010ffff", "x" * 100_000, "١٢", "1_000", "1,234.50"),
    *("1e5", "1E-5", "+1", "-1", "-0", ".5", "5.", " 5", "5\n", "0x10", "1e400", "1e-400", "1e99"),
    *("NaN", "nan", "inf", "-Infinity", "9" * 60, "9" * 5000, "null", "true", "٢٠٢٦-٠١-٠١"),
    *(
        "2026-02-30",
        "2026-W01-1",
        "20260101",
        "9999-12-31",
        "0001-01-01",
        "2026-1-1",
        "2026-01-01 ",
    ),
    *("2026-01-01\x0000:00:00", "2026-01-01T25:00:00Z", "2026-01-01T00:00:00Z", "2026-01-01T00"),
    *("0001-01-01T00:00:00+23:59", "2026-01-01T00:00:00+99:99", "ZZ2026-01-01T00:00:00"),
    *("Fri, 31 Dec 9999 23:59:59 -2300", "Sat, 01 Jan 0100 00:00:00 +2300", "Thu, 01 Jan 2026"),
    *(
        "Thu, 01 Jan 2026 00:00:00 +9999",
        "Thu, 99 Foo 2026 00:00:00",
        "Mon, 01 Jan 2099 00:00:00 +0000",
    ),
    *(
        "http://[",
        "//evil.example/x",
        "/2010-04-01/Accounts.json?Page=1",
        "\\\\evil",
        "?",
        "/?é=\0",
    ),
    *(
        "../../evil",
        "AC/../x?y=",
        "AC" + "0" * 32,
        "AC" + "0" * 31 + "2",
        "totalprice",
        "TotalPrice",
    ),
    *(
        f"{TODAY}",
        f"{FIRST}",
        f"{TODAY + timedelta(days=1)}",
        "usd",
        "eur",
        "USD ",
        "sms",
        "mms-outbound",
    ),
)
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, [], {}, [[]], [None], [{}], Members([("a", Members([("b", Raw("1"))]))])),
    *map(Raw, ("0", "-0", "-1", "1.5", "1e400", "-1e400", "1e5", "0.1e-99", "1E+2", "9" * 60)),
    *map(Raw, ("9" * 5000, "1." + "0" * 5000, "NaN", "Infinity", "-Infinity", "01", "1.", "+1")),
    *map(Raw, ("", "'x'", '"\\x"', '"\t"', '"\\ud800"', '"\\udc00\\ud800"', '"\\ud83d\\ude00"')),
    # Some, more than most parsers read, and more than any does.
    *(Raw("[" * depth + "]" * depth) for depth in (50, 1_000, 1_000_000)),
    *(Raw('{"a":' * depth + "0" + "}" * depth) for depth in (50, 1_000, 1_000_000)),
)


def _replace(random: Random, place: Place, _: list[Place]) -> str:
    value = random.choice(ODD_TEXTS if random.random() < 0.5 else ODD_VALUES)
    place.put(value)
    return f"{value!r:.40}"


def _insert(random: Random, place: Place, _: list[Place]) -> str:
    text = place.value if isinstance(place.value, str) else ""
    at = random.randint(0, len(text))
    odd = random.choice((*CHARACTERS, Raw("\\ud800"), Raw("\\udfff"), *"0159-+.eE_,/"))
    before, after = json.dumps(text[:at])[:-1], json.dumps(text[at:])[1:]
    place.put(Raw(before + (odd if isinstance(odd, Raw) else json.dumps(odd)[1:-1]) + after))
    return f"{odd!r} at {at}"


def _retype(_: Random, place: Place, __: list[Place]) -> str:
    value = place.value
    if isinstance(value, str):  # a number becomes a string, and a string a number
        place.put(str(value) + "" if isinstance(value, Raw) else Raw(value))
    else:
        place.put([value])
    return ""


def _delete(_: Random, place: Place, __: list[Place]) -> str:
    del place.inside[place.index]
    return ""


def _rename(random: Random, place: Place, _: list[Place]) -> str:
    if not isinstance(place.inside, Members):
        return _delete(random, place, _)
    key = random.choice(
        ("", "x", "x" * 5000, "\0", "\u202e", Raw('"\\ud800"'), place.inside[0][0].upper())
    )
    place.inside[place.index] = (key, place.value)
    return f"{key!r}"


def _repeat(random: Random, place: Place, _: list[Place]) -> str:
    copied = place.inside[place.index]
    place.inside.insert(random.randint(0, len(place.inside)), copied)
    return ""


def _repeat_otherwise(random: Random, place: Place, others: list[Place]) -> str:
    _repeat(random, place, others)
    return _replace(random, place, others)


def _swap(random: Random, place: Place, others: list[Place]) -> str:
    near = [other for other in others if other.inside is place.inside]
    other = random.choice(near if random.random() < 0.7 else others)
    mine, theirs = place.value, other.value
    if not (_holds(mine, other.inside) or _holds(theirs, place.inside)):
        place.put(theirs)
        other.put(mine)
    return f"with {other.index}"


OF_A_NODE = (
    *(_replace, _replace, _replace, _insert, _insert, _retype),
    *(_delete, _rename, _repeat, _repeat_otherwise, _swap),
)


def of_json(random: Random, answer: Answer) -> tuple[str, Answer]:
    """Change one or two nodes of the JSON."""
    tree = parse(answer.body)
    told = []
    for _ in range(random.choice((1, 1, 1, 2))):
        found = [*places(tree)]
        top = [place for place in found if place.inside is tree]
        place = random.choice(top if random.random() < 0.3 else found)
        mutate = random.choice(OF_A_NODE)
        name = place.inside[place.index][0] if isinstance(place.inside, Members) else place.index
        told.append(f"{mutate.__name__[1:]} {name!r:.40} {mutate(random, place, found)}")
    return "; ".join(told), replace(answer, body=write(tree).encode())


# --- Mutations of the bytes, the status and the headers


def _of_bytes(random: Random, body: bytes) -> Mapping[str, bytes]:
    at, text = random.randrange(len(body)), body.decode()
    flipped = bytearray(body)
    for _ in range(random.choice((1, 1, 5))):
        flipped[random.randrange(len(body))] ^= 1 << random.randrange(8)
    return {
        "truncated": body[:at],
        "flipped": bytes(flipped),
        "without a byte": body[:at] + body[at + 1 :],
        "NUL": body[:at] + b"\0" + body[at:],
        "Latin-1": body[:at] + b"\xe9" + body[at:],
        "surrogate bytes": body.replace(b'": "', b'": "\xed\xa0\x80', 1),
        "BOM": b"\xef\xbb\xbf" + body,
        "UTF-16": text.encode("utf-16"),
        "UTF-16 big": text.encode("utf-16-be"),
        "UTF-32": text.encode("utf-32"),
        "half of UTF-16": text.encode("utf-16")[:-1],
        "gzip": gzip.compress(body),
        "empty": b"",
        "blank": b" \n",
        "twice": body + body,
        "a text": json.dumps(text).encode(),
        "in a list": b"[" + body + b"]",
        "null": b"null",
        "HTML": b"<html><body>" + body + b"</body></html>",
        "nested": b"[" * 100_000,
    }


def of_bytes(random: Random, answer: Answer) -> tuple[str, Answer]:
    bodies = _of_bytes(random, answer.body)
    name = random.choice([*bodies])
    return name, replace(answer, body=bodies[name])


HEADERS = (
    *({"Content-Encoding": kind} for kind in ("gzip", "deflate", "br", "zstd", "x", "gzip, gzip")),
    *({"Content-Type": kind} for kind in ("text/html", "application/json; charset=utf-16")),
    *({"Content-Type": kind} for kind in ("", "\xff\xfe", "x" * 60_000, "a; charset=\x1b[31m")),
    *({"Set-Cookie": kind} for kind in ("", "=", "a=b; Domain=\xff; Expires=never", ";" * 5000)),
    {"X": "x" * 60_000},
    {"X": "x" * 70_000},
    {f"X-{number}": "" for number in range(200)},
    {"Link": "<http://[>; rel=next"},
)
STATUSES = (
    101,
    199,
    201,
    204,
    206,
    299,
    304,
    400,
    401,
    403,
    404,
    410,
    418,
    429,
    500,
    503,
    599,
    999,
)
LOCATIONS = ("http://[", "http://[::1", "", "//", "\xff", "http://evil.example/", "?" * 9000, "a:b")
RETRY_AFTER = (
    *("-1", "0", "1", "1e9", "١", "999999", "9" * 400, "\xb2", "", "soon", "1.5", "0x1"),
)
DATES = (
    "Fri, 31 Dec 9999 23:59:59 -2300",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Thu, 1 Jan 99999 0:0:0",
)
CODES: tuple[Any, ...] = (
    *(None, True, "", [], {}, "20404", "\x1b[31m", "x" * 5000, Raw("20404"), Raw("1e400")),
)
DEEP = Raw("[" * 900 + "]" * 900)


def of_head(random: Random, answer: Answer) -> tuple[str, Answer]:
    kind = random.randrange(4)
    if kind == 0:
        headers = random.choice(HEADERS)
        told = f"{dict(headers)!r:.60}"
        return told, replace(answer, headers={**answer.headers, **headers})
    if kind == 1:
        status, location = random.choice((301, 302, 303, 307, 308)), random.choice(LOCATIONS)
        return f"{status} {location!r:.30}", replace(
            answer, status=status, headers={"Location": location}
        )
    if kind == 2:
        status, wait = random.choice((429, 503)), random.choice(RETRY_AFTER + DATES)
        return f"{status} after {wait!r:.30}", replace(
            answer, status=status, headers={"Retry-After": wait}
        )
    status, code, message = (
        random.choice(STATUSES),
        random.choice((*CODES, DEEP)),
        random.choice((*ODD_TEXTS, *CODES, DEEP)),
    )
    body = write(Members([("code", code), ("message", message), ("more_info", message)]))
    sent = body.encode() if random.random() < 0.7 else answer.body
    return f"{status} {code!r:.30} {message!r:.30}", replace(answer, status=status, body=sent)


def mutated(random: Random, answer: Answer) -> tuple[str, Answer]:
    """Return a short description of the mutation, and the mutated answer."""
    if not answer.body:
        return "nothing", answer
    mutate = random.choice((of_json, of_json, of_json, of_json, of_bytes, of_head))
    return mutate(random, answer)


PERIODS = {each.resource for each in GRANULARITIES}


class Hostile:
    """Real answers, except to the nth request of a kind, which is mutated the first or every time.

    `sent` has all answers by request.
    """

    def __init__(self, kind: str, nth: int, seed: int, *, always: bool) -> None:
        self._wanted = (kind, nth, always)
        self._seed = seed
        self._asked: list[object] = []
        self._dates: dict[str, list[bytes]] = {}  # of the first request of a path
        self._done = False
        self._lock = threading.Lock()
        self.mutation = ""
        self.sent: dict[tuple[str, str], list[Answer]] = {}

    def __call__(self, request: Request) -> Answer:
        with self._lock:
            answer = self._answer(request)
            asked = (request.path, f"{sorted(request.query.items())}{request.body!r}")
            if not self._is_proof(request):
                self.sent.setdefault(asked, []).append(answer)
            return answer

    def _is_proof(self, request: Request) -> bool:
        """Whether it asks for some days of a list again, to see whether dates are understood."""
        if kind_of(request.path) != "Records":
            return False
        dates = re.findall(rb"\d{4}-\d\d-\d\d", request.body)
        return dates != self._dates.setdefault(request.path, dates)

    def _answer(self, request: Request) -> Answer:
        answer, (kind, nth, always) = real(request), self._wanted
        if kind_of(request.path) != kind:
            return answer
        asked = (request.path, *sorted(request.query.items()), request.body)
        if asked not in self._asked:
            self._asked.append(asked)
        if self._asked.index(asked) != nth or (self._done and not always):
            return answer
        self._done = True
        self.mutation, answer = mutated(Random(self._seed), answer)
        return answer

    def answers(self, kind: str, without: str = "?") -> Iterator[tuple[str, list[Any]]]:
        """Yield the path and the JSON answers of each request of this kind that has data.

        Requests `without` a parameter: that of totals alone is only made to compare.
        """
        for (path, query), answers in self.sent.items():
            if (
                kind_of(path) == kind
                and without not in query
                and not says_no_data(answers[-1], kind)
            ):
                found = [read(each.body) for each in answers if 200 <= each.status < 300]
                yield path, [page for page in found if isinstance(page, dict)]


def says_no_data(answer: Answer, kind: str) -> bool:
    """Whether it is Twilio's answer for a period without usage."""
    body = read(answer.body) if answer.status == 404 and kind in PERIODS else None
    return isinstance(body, dict) and body.get("code") == "20404"


def kind_of(path: str) -> str:
    last = path.rpartition("/")[2].removesuffix(".json")
    return "Account" if last.startswith("AC0") else last


# --- A second, independent parser of answers


class Number(str):
    """A JSON number as it is written."""

    __slots__ = ()


class Unreadable(Exception):
    """The answer must not be loaded."""


def read(body: bytes) -> Any:
    try:
        return json.loads(body, parse_float=Number, parse_int=Number, parse_constant=Number)
    except (ValueError, RecursionError):
        return None


def _text(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
        raise Unreadable
    return str(value)


def _name(value: object) -> str:
    text = _text(value)
    if not text or not text.strip():
        raise Unreadable
    return text


def _text_of_a_list(value: object) -> str | None:
    """Return the text without a secret, which another field of the answer may have."""
    text = _text(value)
    for secret in SECRETS:
        text = text and text.replace(secret, "***")
    return text


def _amount(value: object) -> Decimal | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not set(value) <= set("0123456789+-.eE"):
        raise Unreadable
    try:
        return Decimal(value)
    except ArithmeticError:
        raise Unreadable from None


def _price(value: object) -> Decimal | None:
    amount = _amount(value)
    _, digits, exponent = (amount or Decimal(0)).as_tuple()
    decimals = "".join(map(str, digits)).rstrip("0")
    shift = len(digits) - len(decimals)
    if amount and (amount.adjusted() >= 26 or int(exponent) + shift < -12):
        raise Unreadable  # by a target
    return amount


def _date(value: object) -> str:
    if not isinstance(value, str) or not value.isascii() or len(value) != 10:
        raise Unreadable
    try:
        return datetime.strptime(value, "%Y-%m-%d").date().isoformat()  # noqa: DTZ007
    except ValueError:
        raise Unreadable from None


def _date_or_none(value: object) -> str | None:
    return None if value is None else _date(value)


def _moment(value: object) -> str | None:
    if value is None or value == "":
        return None
    text = _name(value)
    _date(text[:10])
    if text[10:11] != "T" or not set(text[11:]) <= set("0123456789:.+-Z"):
        raise Unreadable
    return text


def _mail_moment(value: object) -> str | None:
    if value is None or value == "":
        return None
    try:
        moment = parsedate_to_datetime(_name(value))
        utc = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        return utc.astimezone(timezone.utc).isoformat()
    except (ArithmeticError, ValueError, TypeError):
        raise Unreadable from None


def _inside(value: object, key: str) -> Any:
    if value is not None and not isinstance(value, dict):
        raise Unreadable
    return (value or {}).get(key)


Readers = Mapping[str, Callable[[Mapping[str, Any]], Any]]


def _fields(**readers: Callable[[object], Any]) -> Readers:
    return {name: lambda row, n=name, r=of: r(row.get(n)) for name, of in readers.items()}  # type: ignore[misc]


USAGE: Readers = _fields(
    category=_name,
    start_date=_date,
    end_date=_date,
    api_version=_text,
    as_of=_moment,
    description=_text,
    count=_amount,
    count_unit=_text,
    usage=_amount,
    usage_unit=_text,
    price=_price,
    price_unit=_text,
)
ACCOUNT: Readers = {
    "account_sid": lambda row: _name(row.get("sid")),
    **_fields(
        friendly_name=_text_of_a_list,
        status=_text_of_a_list,
        type=_text_of_a_list,
        owner_account_sid=_text_of_a_list,
        date_created=_mail_moment,
        date_updated=_mail_moment,
    ),
}
TRIGGER: Readers = _fields(
    account_sid=_name,
    sid=_name,
    api_version=_text_of_a_list,
    callback_method=_text_of_a_list,
    callback_url=_text_of_a_list,
    current_value=_amount,
    date_created=_mail_moment,
    date_fired=_mail_moment,
    date_updated=_mail_moment,
    friendly_name=_text_of_a_list,
    recurring=_text_of_a_list,
    trigger_by=_text_of_a_list,
    trigger_value=_amount,
    usage_category=_text_of_a_list,
)
PRODUCT: Readers = {
    "product_name": lambda row: _name(row.get("productName")),
    "product_category": lambda row: _name(row.get("productCategory")),
    "start_date": lambda row: _date(row.get("startDate")),
    "end_date": lambda row: _date(row.get("endDate")),
    "usage": lambda row: _amount(_inside(row.get("usage"), "amount")),
    "usage_unit": lambda row: _text(_inside(row.get("usage"), "unit")),
    "price": lambda row: _price(_inside(row.get("price"), "amount")),
    "price_unit": lambda row: _text(_inside(row.get("price"), "currency")),
}


class Source(NamedTuple):
    """The source of a stream's rows, and how to parse them."""

    kind: str
    list_key: str
    readers: Readers
    keys: tuple[str, ...]

    def rows(self, page: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the rows of a page. Raises Unreadable if it has no rows or an invalid one."""
        raw = page.get(self.list_key)
        if not isinstance(raw, list):
            raise Unreadable
        for each in raw:
            if not isinstance(each, dict):
                raise Unreadable
            yield {field: of(each) for field, of in self.readers.items()}

    def keyed(self, rows: Iterable[Mapping[str, Any]]) -> dict[tuple[Any, ...], Mapping[str, Any]]:
        return {tuple(row[key] for key in self.keys): row for row in rows}


def _usage(kind: str) -> Source:
    return Source(kind, "usage_records", USAGE, ("category", "start_date"))


SOURCES = {
    "usage_records_daily": _usage("Daily"),
    "usage_records_monthly": _usage("Monthly"),
    "usage_records_yearly": _usage("Yearly"),
    "usage_records_all_time": _usage("AllTime"),
    "usage_records_today": _usage("Today"),
    "usage_records_yesterday": _usage("Yesterday"),
    "usage_records_this_month": _usage("ThisMonth"),
    "usage_records_last_month": _usage("LastMonth"),
    "accounts": Source("Accounts", "accounts", ACCOUNT, ("account_sid",)),
    "usage_triggers": Source("Triggers", "usage_triggers", TRIGGER, ("account_sid", "sid")),
    "billing_group_records": Source(
        "Records", "records", PRODUCT, ("product_category", "product_name", "start_date")
    ),
}


RECONCILIATION = "usage_reconciliation"
TOTALS = {"daily_total": "Daily", "monthly_total": "Monthly"}


# --- Runs of the command


class Plan(NamedTuple):
    """The streams of a run, and what to mutate."""

    kind: str
    streams: tuple[str, ...]
    settings: Mapping[str, Any]


ACCOUNT_SETTINGS = {"account_sid": MAIN_SID, "auth_token": AUTH_TOKEN}
SEPARATE = {**ACCOUNT_SETTINGS, "subaccounts": "separate"}
BILLING = {
    "client_id": CLIENT_ID,
    "client_secret": CLIENT_SECRET,
    "billing_group_ids": list(BILLING_GROUP_IDS),
    "page_size": 200,
}
PLANS = (
    *(Plan("Daily", ("usage_records_daily",), each) for each in (ACCOUNT_SETTINGS, SEPARATE) * 2),
    *(
        Plan(source.kind, (stream,), ACCOUNT_SETTINGS)
        for stream, source in SOURCES.items()
        if stream != "billing_group_records"
    ),
    *(
        Plan(kind, (RECONCILIATION,), each)
        for kind in TOTALS.values()
        for each in (ACCOUNT_SETTINGS, SEPARATE)
    ),
    Plan("AllTime", ("categories", "usage_records_daily"), ACCOUNT_SETTINGS),
    Plan("AllTime", ("usage_records_daily", "usage_records_today"), SEPARATE),
    Plan("Account", ("usage_records_daily",), ACCOUNT_SETTINGS),
    Plan("Accounts", ("accounts", "usage_records_daily", "usage_triggers"), SEPARATE),
    Plan("Records", ("billing_group_records",), BILLING),
    Plan("Records", ("billing_group_records",), BILLING),
    Plan("token", ("billing_group_records",), BILLING),
)
SECRETS = (AUTH_TOKEN, CLIENT_SECRET)


class Case(NamedTuple):
    """One run: its plan and its answers."""

    plan: Plan
    answers: Hostile

    @classmethod
    def drawn(cls, seed: int) -> Case:
        random = Random(seed)
        plan = random.choice(PLANS)
        nth, always = random.choice((0, 0, 1, 2)), random.random() < 0.7
        return cls(plan, Hostile(plan.kind, nth, seed, always=always))


def command(plan: Plan, answers: Answers, folder: Path, state: Any = None) -> Run:
    """Run the tap on these answers, without waits. After 199, it waits for another status."""
    with serve(answers) as server:
        config = {
            "api_url": server.url,
            "billing_api_url": server.url,
            "oauth_token_url": server.url + TOKEN_PATH,
            "start_date": f"{FIRST}",
            "end_date": f"{TODAY}",
            "page_size": 5,
            **plan.settings,
        }
        given = {"config": config, "catalog": catalog(plan.streams), "state": state}
        arguments = []
        for name, value in given.items():
            if value is not None:
                (folder / name).write_text(json.dumps(value))
                arguments += [f"--{name}", str(folder / name)]
        hurried = Overrides(speed=1e6, limits={"read_timeout": 5})
        run = Forked(arguments, folder / "log", clean_environment(), overrides=hurried)
        with run.out:
            out = run.out.read()
        code = run.wait()
    return Run(code, out.decode(), (folder / "log").read_text("utf-8"))


@cache
def _discovered() -> str:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config")
        config.write_text(json.dumps({**ACCOUNT_SETTINGS, **BILLING}))
        run = Forked(
            ["--config", str(config), "--discover"], Path(folder, "log"), clean_environment()
        )
        with run.out:
            return run.out.read().decode()


def catalog(streams: tuple[str, ...]) -> dict[str, Any]:
    return catalog_of(json.loads(_discovered()), *streams)


@cache
def _undisturbed(streams: tuple[str, ...], settings: str) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        run = command(Plan("", streams, json.loads(settings)), real, Path(folder))
    assert run.code == 0, run.last_line
    return run


def undisturbed(plan: Plan) -> Run:
    return _undisturbed(plan.streams, json.dumps(plan.settings))


def check(case: Case, run: Run, folder: Path) -> None:
    """Check that the run is complete or ends with an error."""
    check_log(run)
    check_messages(run)
    for stream in case.plan.streams:
        if stream in SOURCES:
            check_rows(stream, case.answers, run)
        if stream == RECONCILIATION:
            check_months(case.answers, run)
    if run.code == 0:
        check_totals(run)
    if run.states:
        check_state(case.plan, run, folder)


def check_log(run: Run) -> None:
    assert run.code in {0, 1}, run.log[-3000:]
    assert "Traceback" not in run.log, run.log[-3000:]
    lines = run.log.splitlines()
    for line in lines:
        assert line.isprintable(), f"{line!r:.300}"
        assert len(line) <= LONGEST_LINE, f"{len(line)}: {line:.300}"
    errors = [line for line in lines if "| ERROR" in line]
    assert errors == lines[-1:] * run.code, run.log[-3000:]
    assert not leaks(run.log, SECRETS)
    assert not [secret for secret in SECRETS if secret in run.out]


def check_messages(run: Run) -> None:
    schemas = run.schemas()
    keys: set[object] = set()
    for message in run.messages:
        assert message["type"] in {"SCHEMA", "RECORD", "STATE"}
        if message["type"] == "RECORD":
            stream, record = message["stream"], message["record"]
            jsonschema.validate(record, schemas[stream]["schema"])
            key = (stream, *(record[name] for name in schemas[stream]["key_properties"]))
            assert None not in key
            assert key not in keys, f"twice: {key}"
            keys.add(key)
            assert not [text for text in record.values() if not _is_storable(text)], f"{record}"


def _is_storable(value: object) -> bool:
    """Return whether PostgreSQL can store the value."""
    if not isinstance(value, str):
        return True
    return "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)


def check_rows(stream: str, answers: Hostile, run: Run) -> None:
    """Check that the rows are those that were sent; all of them, if the run succeeded."""
    source = SOURCES[stream]
    sent: defaultdict[tuple[Any, ...], list[Mapping[str, Any]]] = defaultdict(list)
    last: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for path, pages in answers.answers(source.kind, without="'Category'"):
        for page in pages:
            rows: list[Mapping[str, Any]] = []
            try:
                rows.extend(source.rows(page))  # up to the first invalid one
            except Unreadable:
                assert run.code or page is not pages[-1], "an invalid record was ignored"
            for key, row in source.keyed(rows).items():
                sent[(_owner(path), *key)].append(row)
                if page is pages[-1]:
                    last[(_owner(path), *key)] = row
    emitted = {}
    for record in run.records(stream):
        owner = record.get("billing_group_id") or record.get("account_sid")
        owner = "" if stream == "accounts" else owner
        where = (owner, *(record[name] for name in source.keys))
        expected = [{field: row[field] for field in source.readers} for row in sent[where]]
        assert {field: record[field] for field in source.readers} in expected, (record, expected)
        emitted[where] = record
    if run.code == 0:
        missing = [key for key, row in last.items() if key not in emitted and not _is_zero(row)]
        assert not missing, f"lost: {missing[:3]}"


def check_months(answers: Hostile, run: Run) -> None:
    """Check that each month has the sum of its days, and Twilio's own total, as they were sent."""
    rows = run.records(RECONCILIATION)
    for row in rows:
        difference = row["monthly_total"] is not None and row["monthly_total"] - row["daily_total"]
        assert row["difference"] == (None if difference is False else difference), row
    if run.code:
        return
    for field, kind in TOTALS.items():
        found: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for row in rows:
            found[(row["account_sid"], row["start_date"][:7])] += row[field] or 0
        for month, total in totals_sent(answers, kind).items():
            assert total is None or found[month] == total, (field, month, found[month], total)


def totals_sent(answers: Hostile, kind: str) -> dict[tuple[str, str], Decimal | None]:
    """Return the sum of each month; None if a period was sent with different prices."""
    prices: defaultdict[tuple[str, str], set[Decimal]] = defaultdict(set)
    for path, pages in answers.answers(kind):
        for row in _usage(kind).rows(pages[-1]) if pages else ():
            if row["category"].strip().lower() == "totalprice":
                prices[(_owner(path), row["start_date"])].add(row["price"] or Decimal(0))
    sums: dict[tuple[str, str], Decimal | None] = {}
    for (owner, day), sent in prices.items():
        before = sums.get((owner, day[:7]), Decimal(0))
        (price, *others), month = sent, (owner, day[:7])
        sums[month] = None if others or before is None else before + price
    return sums


def _owner(path: str) -> str:
    parts = path.split("/")
    return parts[4] if parts[1] == "v2" else parts[3] if len(parts) > 4 else ""


def _is_zero(row: Mapping[str, Any]) -> bool:
    return "price" in row and not (row["price"] or row["usage"] or row.get("count"))


def check_totals(run: Run) -> None:
    sums: defaultdict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    totals: defaultdict[tuple[str, ...], list[Decimal]] = defaultdict(list)
    for stream in run.schemas():
        for row in run.records(stream) if stream.startswith("usage_records_") else ():
            period: tuple[str, ...] = (stream, row["account_sid"], row["start_date"])
            sums[period] += Decimal(row["deduplicated_price"] or 0)
            is_total = row["category"].strip().lower() == "totalprice"
            if is_total and row["price"] is not None:
                totals[period].append(Decimal(row["price"]))
    for period, total in totals.items():
        assert len(total) != 1 or sums[period] == total[0], (period, sums[period], total)


def check_state(plan: Plan, run: Run, folder: Path) -> None:
    """Check that a run from the last STATE completes the data."""
    following = command(plan, real, folder, run.states[-1])
    assert following.code == 0, following.last_line
    if run.code == 0 and plan.settings is SEPARATE:
        return  # as long as AllTime is the same, days are not read again for a week
    whole = undisturbed(plan)
    for stream, schema in whole.schemas().items():
        keys = schema["key_properties"]
        target = {
            tuple(record[key] for key in keys): record
            for each in (run, following)
            for record in each.records(stream)
        }
        if stream == RECONCILIATION:
            assert months_of(target.values()) == months_of(whole.records(stream))
        for record in whole.records(stream):
            found = target.get(tuple(record[key] for key in keys), {})
            assert {**found, "as_of": None} == {**record, "as_of": None}, (found, record)


def months_of(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], Decimal]:
    """Return the sum of each month's days, in all currencies together."""
    found: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in rows:
        found[(row["account_sid"], row["start_date"])] += row["daily_total"]
    return dict(found)


# --- Requests without a socket


class Wire(BaseAdapter):
    """An adapter for `requests` that returns the answers without a socket."""

    def __init__(self, answers: Answers) -> None:
        super().__init__()
        self._answers = answers
        self._http = HTTPAdapter()

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        url = urllib3.util.parse_url(request.url or "")
        body = request.body.encode() if isinstance(request.body, str) else request.body
        asked = Request(
            url.path or "",
            dict(parse_qsl(url.query or "")),
            {str(name): str(text) for name, text in request.headers.items()},
            body or b"",
        )
        answer = self._answers(asked)
        return self._http.build_response(
            request,
            urllib3.HTTPResponse(
                BytesIO(answer.body),
                urllib3.HTTPHeaderDict(answer.headers),
                answer.status,
                preload_content=False,
            ),
        )

    def close(self) -> None:
        """Do nothing."""


def client(answers: Answers, credentials: Credentials, path: str = "") -> Client:
    found = Client(
        "http://127.0.0.1" + path,
        credentials,
        setting="api_url",
        redactor=Redactor(),
        heartbeat=Heartbeat(LOGGER, LIMITS.silence),
        connections=1,
        limits=LIMITS,
        logger=LOGGER,
    )
    found._transport._session.mount("http://", Wire(answers))
    return found


def by_token(answers: Answers) -> Client:
    """Return a client with the Auth Token."""
    return client(answers, Basic(MAIN_SID, AUTH_TOKEN))


def by_oauth(answers: Answers) -> Client:
    """Return a client with an OAuth app."""
    tokens = client(answers, Unsigned(), TOKEN_PATH)
    return client(answers, OAuth(tokens, CLIENT_ID, CLIENT_SECRET))


# --- The command


def attempted(case: Case) -> int:
    """Run and check a case; return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        run = command(case.plan, case.answers, Path(folder))
        check(case, run, Path(folder))
    return run.code


def main() -> int:
    preload("tests.conftest")
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first run")
    parser.add_argument("--runs", type=int, default=1)
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    for seed in range(options.seed, options.seed + options.runs):
        case = Case.drawn(seed)
        try:
            code = attempted(case)
        except (AssertionError, ValueError) as error:
            why = f"{case.plan.kind}: {case.answers.mutation}: {type(error).__name__}: {error}"
            print(f"python -m tests.hostile --seed {seed}  # {why:.1500}")  # noqa: T201
            return 1
        except KeyboardInterrupt:
            break
        counts[f"exit code {code}" if case.answers.mutation else "nothing was changed"] += 1
    print(dict(counts))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
