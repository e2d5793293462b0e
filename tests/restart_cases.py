"""Random cases: the state and the table that earlier runs left, and a run to continue with."""

from __future__ import annotations

import json
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from sandbox import (
    AUTH_TOKEN,
    BILLING_GROUP_IDS,
    CLIENT_ID,
    CLIENT_SECRET,
    FAULTS,
    MAIN_SID,
    Charge,
    Company,
    Reply,
    Request,
    Server,
)
from sandbox.catalogue import SOURCES, Source
from sandbox.company import TRIGGERS
from sandbox.periods import named_period
from tap_twilio_usage.focus.columns import KEY as FOCUS_KEY
from tap_twilio_usage.focus.columns import STREAM as FOCUS
from tap_twilio_usage.streams.billing_groups import BILLING_STREAMS
from tap_twilio_usage.twilio.periods import DAY, GRANULARITIES, MONTHLY, Window
from tests.conftest import catalog_of, clean_environment
from tests.forked import Forked, Overrides

Message = dict[str, Any]
State = dict[str, Any] | None
Key = tuple[str, ...]

USAGE_STREAMS = {f"usage_records_{each.name}": each for each in GRANULARITIES}
DAILY = ("usage_records_daily",)
RECONCILIATION = "usage_reconciliation"
INCREMENTAL = (*DAILY, "usage_records_monthly", "usage_records_yearly", RECONCILIATION)
ALL = (*USAGE_STREAMS, RECONCILIATION, "usage_triggers", "accounts", "categories")
BILLING = tuple(BILLING_STREAMS)
HOW_FRESH = ("as_of", "x_AsOf")


class Mode(NamedTuple):
    """The `subaccounts` of successive runs, and the streams that they load.

    Without histories, each run has its own random settings, and some have wrong answers: `_nights`.
    """

    histories: Sequence[Sequence[str]]
    streams: Sequence[Sequence[str]]
    points_of_a_case: int = 8


CHOICES = ("rolled_up", "separate", "excluded")
SAME: Sequence[Sequence[str]] = [("rolled_up",) * 2, ("excluded",) * 2, ("rolled_up",) * 3]
SEPARATE: Sequence[Sequence[str]] = [("separate",) * 2, ("separate",) * 3]
CHANGES: Sequence[Sequence[str]] = [
    ("rolled_up", "separate"),
    ("separate", "rolled_up"),
    ("separate", "excluded"),
    ("rolled_up", "excluded"),
    ("excluded", "separate"),
    ("separate", "rolled_up", "separate"),
    ("rolled_up", "separate", "excluded"),
]
MODES = {
    "plain": Mode([("rolled_up",), ("excluded",)], [DAILY, INCREMENTAL]),
    "lookback": Mode(SAME, [DAILY, INCREMENTAL]),
    "separate": Mode([("separate",)], [DAILY, INCREMENTAL]),
    "separate_lookback": Mode(SEPARATE, [DAILY, INCREMENTAL]),
    "granularities": Mode([("rolled_up",), ("separate",), *SAME, *SEPARATE, *CHANGES], [ALL]),
    "billing_groups": Mode([("rolled_up",), ("rolled_up",) * 2], [BILLING]),
    "change": Mode(CHANGES, [DAILY, INCREMENTAL]),
    "nights": Mode([], [DAILY, INCREMENTAL, INCREMENTAL, ALL, BILLING], points_of_a_case=2),
}


@dataclass(eq=False)
class SmallCompany(Company):
    """A company with few categories, so that a run takes a fraction of a second."""

    sources: Sequence[Source] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        shown = {trigger.usage_category for trigger in TRIGGERS}
        for source in self.sources:
            shown |= {*self._path(source.category)}
            shown |= {*self._path(source.repeated_in or source.category)}
        unused = [name for name in self._names if name not in shown][:3]
        self._names = tuple(name for name in self._names if name in {*shown, *unused})

    def _generate(self, account: str, day: date) -> tuple[Charge, ...]:
        owner = self._accounts[account]
        found = (self._draw_charge(source, owner, day) for source in self.sources)
        return tuple(charge for charge in found if charge is not None)


class WrongAnswers:
    """A plan in which this share of all answers is wrong.

    Which ones are follows from the seed, for each try of each request, in whatever order they come.
    """

    def __init__(self, share: float, seed: float) -> None:
        self._share = share
        self._seed = seed
        self._tries: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Callable[[Reply], Reply] | None:
        asked = f"{request.path} {sorted(request.query.items())}"
        with self._lock:
            self._tries[asked] += 1
            random = Random(f"{self._seed} {asked} {self._tries[asked]}")
        return FAULTS[random.choice([*FAULTS])] if random.random() < self._share else None


class Table:
    """The rows of a target that upserts records by key."""

    def __init__(self, keys: Mapping[str, Sequence[str]]) -> None:
        self.keys = keys
        self.rows: dict[Key, dict[str, Any]] = {}

    def after(self, messages: Iterable[Message]) -> Table:
        """Return another table that has these records too."""
        table = Table(self.keys)
        table.rows = dict(self.rows)
        for message in messages:
            table.load(message)
        return table

    def load(self, message: Message) -> None:
        if message["type"] == "RECORD":
            stream, record = message["stream"], message["record"]
            row = {name: record[name] for name in record if name not in HOW_FRESH}
            self.rows[(stream, *(row[key] for key in self.keys[stream]))] = row

    def without(self, stream: str) -> Table:
        """Return another table, in which the stream has no rows."""
        table = Table(self.keys)
        table.rows = {key: row for key, row in self.rows.items() if key[0] != stream}
        return table

    def of(self, stream: str) -> Iterator[tuple[Key, dict[str, Any]]]:
        return ((key, row) for key, row in self.rows.items() if key[0] == stream)


class Run(NamedTuple):
    """The output of a run, and how it ended."""

    messages: list[Message]
    sizes: list[int]
    half_line: bytes
    code: int
    log: str

    @property
    def states(self) -> list[tuple[int, State]]:
        """Each STATE, with the number of messages before it."""
        return [(n, m["value"]) for n, m in enumerate(self.messages) if m["type"] == "STATE"]


@dataclass
class Case:
    """A company, settings, and the state and the table that earlier runs left."""

    company: Company
    first: date
    settings: dict[str, Any]
    streams: Sequence[str]
    history: list[str]
    folder: Path
    server: Server
    are_nights: bool = False
    table: Table = field(init=False)
    state: State = None

    def __post_init__(self) -> None:
        discovery = self._started(None, "--discover")
        with discovery.out as out:
            found = json.load(out)
        discovery.wait()
        keys = {each["tap_stream_id"]: each["key_properties"] for each in found["streams"]}
        self.table = Table({**keys, FOCUS: FOCUS_KEY})
        self._write("catalog", catalog_of(found, *self.streams))

    @property
    def changes(self) -> bool:
        return len(set(self.history)) > 1

    @property
    def last_day(self) -> date:
        return self.company.last_day()

    @property
    def has_focus(self) -> bool:
        return bool(self.settings.get("focus"))

    def wrong_answers(self, random: Random) -> WrongAnswers | None:
        """Draw the plan of a run that need not be complete."""
        if not self.are_nights:
            return None
        share = random.choice([0, 0.2, 0.2, 0.6])  # with 0.6, many runs end with an error
        return WrongAnswers(share, random.random()) if share else None

    def start(
        self, state: State, plan: WrongAnswers | None = None, *, pipe_size: int | None = None
    ) -> Forked:
        self.server.plan = plan
        catalog = str(self.folder / "catalog.json")
        return self._started(state, "--catalog", catalog, pipe_size=pipe_size)

    def end(self, run: Forked, read: bytes) -> Run:
        """Wait for the end. Raises ValueError for a line that is not JSON."""
        code = run.wait()
        *lines, half_line = read.split(b"\n")
        messages = [json.loads(line, parse_float=Decimal) for line in lines]
        return Run(messages, [*map(len, lines)], half_line, code, (self.folder / "log").read_text())

    def complete(self, state: State, plan: WrongAnswers | None = None) -> Run:
        """Run the tap, and let it end."""
        run = self.start(state, plan)
        with run.out as out:
            read = out.read()
        return self.end(run, read)

    def _started(self, state: State, *options: str, pipe_size: int | None = None) -> Forked:
        options = (*options, "--config", self._write("config", self.settings))
        if state is not None:
            options = (*options, "--state", self._write("state", state))
        return Forked(
            [*options],
            self.folder / "log",
            clean_environment(),
            overrides=Overrides(speed=math.inf),
            pipe_size=pipe_size,
        )

    def _write(self, name: str, content: object) -> str:
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(content))
        return str(path)

    def periods(self, stream: str) -> Iterator[Window]:
        """Return the rows that the stream must have."""
        others = {RECONCILIATION: MONTHLY, FOCUS: USAGE_STREAMS["usage_records_daily"]}
        granularity = {**USAGE_STREAMS, **BILLING_STREAMS, **others}[stream]
        if granularity.is_named_period:
            now = named_period(granularity.resource, self.last_day)
            yield Window(*(now or (self.company.since, self.last_day)))
        else:
            whole = Window(granularity.first(self.first), self.last_day)
            yield from whole.split(1, granularity)

    def truth(self, stream: str, period: Window) -> Decimal:
        """Return the total of the period."""
        days = [period.start + n * DAY for n in range(period.days)]
        if stream in BILLING:
            groups = self.settings["billing_group_ids"]
            return sum((self.company.billing_total(g, d) for g in groups for d in days), Decimal(0))
        inside = self.history[-1] != "excluded"
        return sum(
            (self.company.total(day, include_subaccounts=inside) for day in days), Decimal(0)
        )


@contextmanager
def case_of(mode: Mode, random: Random) -> Iterator[Case]:
    """Draw a case: all runs of its history but the last, and restatements after them."""
    history = random.choice(mode.histories or [CHOICES])
    streams = random.choice(mode.streams)
    last = date(2025, 10, random.randint(1, 10))
    first = last - random.randint(8, 16 if streams == ALL else 28) * DAY
    company = SmallCompany(
        seed=random.randrange(1000),
        since=first - random.choice([0, 15, 40]) * DAY,
        today=last,
        subaccounts=2,
        sources=random.sample(SOURCES, 6),
    )
    shown = len(company.reported(last))
    settings = {
        "start_date": f"{first}",
        "page_size": random.choice([1, 2, 5]) * shown,
        "max_concurrent_requests": random.choice([1, 2, 4]),
        "lookback_days": random.choice([0, 1, 7] if len(history) == 1 else [2, 7]),
    }
    server = Server(company, order=random.choice(["newest", "oldest"]))
    with server, TemporaryDirectory() as folder:
        if streams == BILLING:
            settings |= _oauth(server.url)
        else:
            settings |= _basic(server.url)
            settings["skip_unused_categories"] = random.random() < 0.8
        case = Case(company, first, settings, streams, [*history], Path(folder), server)
        if mode.histories:
            _runs(case, random)
        else:
            case.are_nights = True
            _nights(case, random)
        yield case


def _runs(case: Case, random: Random) -> None:
    """Load all runs of the history but the last, and set up the last one."""
    company, first = case.company, case.first
    for choice, following in pairwise(case.history):
        _set(case, choice)
        whole, _ = _load(case, random)
        _restate(case, random)
        company.today = case.last_day + random.randint(0, 3) * DAY
        # A change reads again from the first day that was loaded, regardless of start_date.
        changes = choice != following and "rolled_up" in (choice, following)
        late = whole and changes and random.random() < 0.5
        case.settings["start_date"] = f"{company.today if late else first}"
    _set(case, case.history[-1])


def _nights(case: Case, random: Random) -> None:
    """Load nights with random settings, between which the STATE may be lost; set up the last one.

    What the documentation excludes does not happen: after a STATE was lost, `subaccounts` changes
    only after a complete run, and no category is unused; the table of FOCUS is emptied.
    """
    case.history = [random.choice(CHOICES)]
    case.first += random.randint(0, 5) * DAY
    older: list[State] = []
    was_lost, is_known = False, True  # whether the STATE tells of every row of the target
    _vary(case, random)
    for _ in range(random.randint(1, 4)):
        before = case.history[-1], case.first
        _set(case, case.history[-1])
        whole, states = _load(case, random)
        older = [] if case.has_focus else [*older, *states]
        is_known = is_known or whole
        lost = random.random()
        if lost < 0.15 and older:
            case.state = random.choice(older)
        elif lost < 0.3 and whole:
            case.state, case.table, older = None, case.table.without(FOCUS), []
        if lost < 0.3:
            was_lost, is_known = True, False
        lookback_days = case.settings["lookback_days"]
        _vary(case, random)
        if not whole:  # a restated day may not have been read yet
            case.settings["lookback_days"] = max(lookback_days, case.settings["lookback_days"])
        if was_lost:
            case.settings["skip_unused_categories"] = False
        case.history.append(random.choice(CHOICES) if is_known else case.history[-1])
        if random.random() < 0.3:
            case.first -= random.randint(1, 5) * DAY
        if before != (case.history[-1], case.first):
            older = []
        _restate(case, random)
        case.company.today = case.last_day + random.randint(0, 3) * DAY
    _set(case, case.history[-1])


def _vary(case: Case, random: Random) -> None:
    """Draw those settings of a night that may change in any way."""
    shown = len(case.company.reported(case.last_day))
    case.settings |= {
        "page_size": random.choice([1, 2, 5]) * shown,
        "max_concurrent_requests": random.choice([1, 2, 4]),
        "lookback_days": random.choice([0, 2, 7]),
        "skip_unused_categories": random.random() < 0.8,
        "focus": case.streams != BILLING and random.random() < 0.6,
    }


def _basic(url: str) -> dict[str, Any]:
    return {"account_sid": MAIN_SID, "auth_token": AUTH_TOKEN, "api_url": url}


def _oauth(url: str) -> dict[str, Any]:
    return {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "billing_group_ids": [*BILLING_GROUP_IDS],
        "billing_api_url": url,
        "oauth_token_url": f"{url}/v2/token",
    }


def _credentials(case: Case, subaccounts: str) -> dict[str, Any]:
    """Return the Auth Token, or in some cases connections that read the same accounts."""
    random = Random(f"{case.company.seed} {case.last_day} {subaccounts}")
    if random.random() < 0.7:
        return {"account_sid": MAIN_SID, "auth_token": AUTH_TOKEN, "connections": []}
    main, *others = case.company.accounts()
    own = random.sample(others, 1) if subaccounts == "separate" and others else []
    connections = [
        {"account_sid": each.sid, "name": each.friendly_name, "auth_token": each.auth_token}
        for each in (main, *own)
    ]
    return {"account_sid": "", "auth_token": "", "connections": connections}


def _set(case: Case, subaccounts: str) -> None:
    case.settings |= {"subaccounts": subaccounts, "end_date": f"{case.last_day}"}
    if case.streams != BILLING:
        case.settings |= _credentials(case, subaccounts)
    if case.are_nights:
        case.settings["start_date"] = f"{case.first}"


def _load(case: Case, random: Random) -> tuple[bool, list[State]]:
    """Load a run, which may be interrupted; return whether it is complete, and its new states."""
    before = case.state
    run = case.complete(case.state, case.wrong_answers(random))
    most = len(run.messages)
    read = random.choice([most, random.randrange(max(1, most))])
    case.table = case.table.after(run.messages[:read])
    states = [value for position, value in run.states if position < read]
    case.state = states[-1] if states else case.state
    return run.code == 0 and read == most, [state for state in states if state != before]


def _restate(case: Case, random: Random) -> None:
    """Restate days that the next run reads again, some of them to zero."""
    company, back = case.company, case.settings["lookback_days"]
    days = [case.last_day - n * DAY for n in range(back + 1)]
    # A billing group's day without any product keeps its rows (Limits in the reference).
    factors = ["0.5", "1.25", "3"] if case.streams == BILLING else ["0", "0.5", "3"]
    for _ in range(random.randint(1, 5)):
        account = random.choice(company.accounts()).sid
        in_use = [(d, c.category) for d in days for c in company.charges(account, d)]
        if in_use:
            _, category = random.choice(in_use)
            of_it = [day for day, each in in_use if each == category]
            factor = random.choice(factors)
            for day in {*random.choices(of_it, k=random.choice([1, 20]))}:
                company.restate(day, category, price_factor=factor, account=account)
