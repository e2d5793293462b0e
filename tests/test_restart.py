"""A run from any STATE completes the data, however and wherever the run before it ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import cycle

import pytest

from tests.conftest import nightly, nightly_except
from tests.restart import (
    COMPLETE,
    CUTS,
    Cut,
    Violation,
    check_end,
    try_points,
)
from tests.restart_cases import MODES, Case, Message, Run, State

SEED = 1
OFTEN = ("change", "nights")  # the others are nightly
Doctor = Callable[[list[Message]], list[Message]]


@pytest.mark.parametrize(
    ("mode", "ending", "points"),
    [
        *((mode, ending, 1) for mode, ending in zip(MODES, cycle(CUTS), strict=False)),
        *(nightly(mode, ending, 8) for mode in MODES for ending in CUTS),
    ],
)
def test_an_interrupted_run_is_completed_from_every_state(
    mode: str, ending: str, points: int
) -> None:
    tally = try_points(mode, ending, SEED, range(points))
    assert tally.ends[ending] >= points / 2  # other runs were complete before the cut


@pytest.mark.parametrize("mode", nightly_except(OFTEN, MODES))
def test_a_complete_run_can_be_repeated_from_every_state(mode: str) -> None:
    assert try_points(mode, COMPLETE, SEED, [0]).restarts


# The harness detects broken taps.


def lose_a_row(messages: list[Message]) -> list[Message]:
    position = max(n for n, m in enumerate(messages) if m["type"] == "RECORD")
    return messages[:position] + messages[position + 1 :]


def change_a_price(messages: list[Message]) -> list[Message]:
    position = max(n for n, m in enumerate(messages) if m["type"] == "RECORD")
    row = {**messages[position]["record"], "price": 0, "deduplicated_price": 1}
    return [*messages, {**messages[position], "record": row}]


def claim_all_days_at_once(messages: list[Message]) -> list[Message]:
    *_, last = (m for m in messages if m["type"] == "STATE")
    return [last if m["type"] == "STATE" else m for m in messages]


def move_back(messages: list[Message]) -> list[Message]:
    states = [m for m in messages if m["type"] == "STATE" and "replication_key_value" in f"{m}"]
    return [*messages, states[0]]


def forget_the_bookmarks(messages: list[Message]) -> list[Message]:
    return [*messages, {"type": "STATE", "value": {"bookmarks": {}}}]


def pass_the_last_day(messages: list[Message]) -> list[Message]:
    *_, last = (m for m in messages if m["type"] == "STATE")
    ahead = json.loads(json.dumps(last["value"]).replace("2025-", "2035-"))
    return [*messages, {"type": "STATE", "value": ahead}]


@pytest.mark.parametrize(
    ("doctor", "what"),
    [
        (lose_a_row, "not there at the bookmark"),
        (change_a_price, "not as without a cut"),
        (claim_all_days_at_once, "not there at the bookmark"),
        (move_back, "moved back from"),
        (forget_the_bookmarks, "vanished: the bookmark"),
        (pass_the_last_day, "after 2025-10-"),
    ],
)
def test_the_harness_detects_a_broken_tap(
    monkeypatch: pytest.MonkeyPatch, doctor: Doctor, what: str
) -> None:
    """The first run is correct, because the others are compared with it."""
    complete = Case.complete

    def doctored(case: Case, state: State) -> Run:
        run = complete(case, state)
        return run if state is None else run._replace(messages=doctor(run.messages))

    monkeypatch.setattr(Case, "complete", doctored)
    with pytest.raises(Violation, match=f"--seed {SEED} --mode plain --ending complete.*{what}"):
        try_points("plain", COMPLETE, SEED, [0])


@pytest.mark.parametrize(
    ("run", "what"),
    [
        (Run([], [], b'{"type"', 143, "stopped by signal 15"), "a part of a line"),
        (Run([], [], b"", 0, "stopped by signal 15"), "exit code 0, for 143"),
        (Run([], [], b"", 1, "Traceback (most recent call last)"), "a traceback"),
        (Run([], [], b"", 143, ""), "exit code 143, for 143"),
    ],
)
def test_the_harness_detects_an_undocumented_ending(run: Run, what: str) -> None:
    with pytest.raises(Violation, match=what):
        check_end(run, Cut("sigterm", lines=1, seconds=0, blocked=False))
