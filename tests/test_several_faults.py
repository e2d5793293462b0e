"""Several ways of leaving something out at once, in random runs: each has its word, once."""

from __future__ import annotations

import logging
import re
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
import pytest

from tap_twilio_usage.sync.state import UsageState
from tap_twilio_usage.twilio.periods import DAILY, DAY, Window
from tests.conftest import nightly
from tests.test_pipeline import FakeAccount, day, pipeline

CATEGORIES = ("sms", "calls", "mms")
DATES = r"(\d{4}-\d\d-\d\d)(?:\.\.(\d{4}-\d\d-\d\d))?"


class Life:
    """An account in whose days something is missing for ever, and its runs, some of them killed."""

    def __init__(self, seed: int, log: pytest.LogCaptureFixture) -> None:
        self.log = log
        self.killed: list[logging.LogRecord] = []  # what was said by runs that were killed
        self.random = Random(seed)
        pick = self.random.choice
        self.created = day(pick([-9, 0, 0]))
        self.truth = {day(n): self._prices() for n in range(-9, 60)}
        self.lookback = pick([0, 7, 35])
        self.separates = pick([True, False])
        share = pick([0.02, 0.1])
        chosen = [each for each in range(1, 50) if self.random.random() < share]
        self.faults = {day(n): pick(["missing", "zeros", *CATEGORIES]) for n in chosen}
        self.answers = {day(n): self._answer(day(n)) for n in range(-9, 60)}
        self.state = UsageState()

    def _prices(self) -> dict[str, str]:
        prices = {name: Decimal(self.random.randint(1, 900)) / 100 for name in CATEGORIES}
        return {
            name: f"{price}"
            for name, price in [*prices.items(), ("totalprice", sum(prices.values()))]
        }

    def _answer(self, each: date) -> dict[str, str]:
        fault, truth = self.faults.get(each), self.truth[each]
        if fault == "missing":
            return {}
        if fault == "zeros":
            return dict.fromkeys(truth, "0")
        return {name: price for name, price in truth.items() if name != fault}

    def night(self, last: int) -> None:
        """Run once; perhaps with an end_date, and perhaps killed and run again."""
        random, saved = self.random, list[bytes]()
        account = FakeAccount(
            {
                each: rows
                for each, rows in self.answers.items()
                if self.created <= each <= day(last) and rows
            },
            created=self.created,
            includes_subaccounts=not self.separates,
        )
        lacking = dict.fromkeys([*CATEGORIES, "totalprice"], Decimal(0))
        for each, truth in self.truth.items():
            if self.created <= each <= day(last):
                for name, price in truth.items():
                    lacking[name] += Decimal(price) - Decimal(self.answers[each].get(name, 0))
        account.spent = {name: f"{price}" for name, price in lacking.items()}
        options: dict[str, Any] = {
            "lookback_days": self.lookback,
            "separates_accounts": self.separates,
        }
        if random.random() < 0.1:
            options["end_date"] = day(last - random.randint(0, 9))
        before = len(self.log.records)
        read = pipeline(
            account, state=self.state, today=day(last), saved=saved, start_date=day(0), **options
        )
        stop = random.randint(1, 30) if random.random() < 0.25 else None
        for context in read.begin():
            for number, _ in enumerate(read.rows(context)):
                if number == stop:
                    _, self.state = msgspec.json.decode(
                        random.choice(saved[-3:]), type=tuple[Any, UsageState]
                    )
                    self.killed += self.log.records[before:]
                    self.night(last)
                    return
        read.end()


def days_of(pattern: str, text: str) -> set[date]:
    windows = [
        Window(date.fromisoformat(first), date.fromisoformat(last or first))
        for first, last in re.findall(pattern, text)
    ]
    return {each.start for window in windows for each in window.split(1, DAILY)}


def gone(name: str, text: str) -> set[date]:
    """Return the days for which a category was said to be gone, up to when it was listed again."""
    again = [day(59), *days_of(rf"'{name}' is listed again since {DATES}", text)]
    return {
        each
        for since in days_of(rf"no longer lists .*?'{name}'.*?, since {DATES}", text)
        for window in [Window(since, min(end for end in again if end > since) - DAY)]
        for each in days_of(DATES, f"{window}")
    }


@pytest.mark.parametrize("seed", [*range(8), *map(nightly, range(8, 300))])
def test_each_has_its_word(caplog: pytest.LogCaptureFixture, seed: int) -> None:
    caplog.set_level(logging.INFO)
    life = Life(seed, caplog)
    for last in range(12, 59, life.random.choice([1, 1, 2])):
        life.night(last)
    life.random.random = lambda: 1.0  # type: ignore[method-assign]
    for last in range(58, 60):
        life.night(last)
    text = caplog.text
    by_kind = {
        kind: {each for each, found in life.faults.items() if found == kind}
        for kind in ("missing", "zeros", *CATEGORIES)
    }
    assert days_of(f"no record.*? for {DATES}", text) == by_kind["missing"]
    lost = sum(
        Decimal(life.truth[each]["totalprice"]) for each in by_kind["missing"] | by_kind["zeros"]
    )
    said = re.findall(r"AllTime has (\S+) more than", text)
    assert max(map(Decimal, said), default=0) == lost
    for name in CATEGORIES:
        found = days_of(f"does not list category '{name}' for {DATES}", text)
        assert found <= by_kind[name] | by_kind["missing"]
        assert by_kind[name] - found <= gone(name, text)
    warned = [
        each.getMessage()
        for each in caplog.records
        if each.levelno > logging.INFO and each not in life.killed
    ]
    assert len(warned) == len({*warned})
