"""Interrupts the tap at random points and runs it again from every STATE that it wrote.

    python -m tests.restart --seed 7 --points 500
    python -m tests.restart --seed 7 --mode change --ending sigterm --point 13

A target holds what it read up to a STATE, or more. With a new run from that STATE it must hold
what it would after a run that nothing cut off, and what the company was charged; and no bookmark
may ever move back. What is tried follows from the seed; where in its code a signal hits the tap
does not quite, for processes take their own time.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby, islice, pairwise
from random import Random
from threading import Timer
from typing import NamedTuple

from sandbox import AUTH_TOKEN, CLIENT_SECRET
from tap_twilio_usage.focus.columns import STREAM as FOCUS
from tests.canary import leaks
from tests.forked import preload
from tests.restart_cases import (
    BILLING,
    MODES,
    RECONCILIATION,
    USAGE_STREAMS,
    Case,
    Key,
    Message,
    Run,
    State,
    Table,
    WrongAnswers,
    case_of,
)

PIPE = 4096  # bytes; the smallest size, so that the tap is never far ahead of its reader
AHEAD = 4 * PIPE  # the most that it can be ahead: the pipe, its buffer, the reader's buffer
STATES_OF_A_RUN = (2, 3)  # the first and the last, and perhaps one between
STATES_OF_A_WHOLE_RUN = 10
CUT_OFF_AGAIN = 0.25
SECRETS = (AUTH_TOKEN, CLIENT_SECRET)
Partition = tuple[str, frozenset[tuple[str, object]]]


class Ending(NamedTuple):
    """How a run ends: its exit code and the last line of its log."""

    code: int
    signal: signal.Signals | None = None
    said: str | None = None


# Of each period they add up to what the company was charged.
AMOUNTS = {
    **dict.fromkeys(USAGE_STREAMS, ["deduplicated_price"]),
    **dict.fromkeys(BILLING, ["price"]),
    RECONCILIATION: ["daily_total", "monthly_total"],
    FOCUS: ["BilledCost"],
}
COMPLETE = "complete"
FAILED = "failed"  # after too many wrong answers
CUTS = {
    "sigterm": Ending(143, signal.SIGTERM, "stopped by signal 15"),
    "sigint": Ending(130, signal.SIGINT, "stopped by signal 2"),
    "sigkill": Ending(-9, signal.SIGKILL),
    "broken_pipe": Ending(1, None, "the target stopped reading; its own log says why"),
}
ENDINGS = (COMPLETE, *CUTS)


class Violation(AssertionError):
    """A violated rule, in one line."""


class Cut(NamedTuple):
    """Where to interrupt a run: after how many lines, how long after that, and whether it waits."""

    ending: str
    lines: int
    seconds: float
    blocked: bool
    sure: bool = False

    @classmethod
    def draw(cls, ending: str, run: Run, random: Random) -> Cut:
        """Draw a point of a run like this one; all streams are equally likely."""
        stream = random.choice(sorted({m["stream"] for m in run.messages if "stream" in m}))
        lines = [n for n, m in enumerate(run.messages, 1) if m.get("stream") == stream]
        blocked = ending == "broken_pipe" or random.random() < 0.7
        seconds = random.choice([0, random.uniform(0, 0.002), random.uniform(0, 0.01)])
        line = random.randint(lines[0], lines[-1])
        return cls(ending, line, seconds, blocked, blocked and sum(run.sizes[line:]) > AHEAD)


@dataclass
class Tally:
    """The number of trials by result."""

    points: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    restarts: int = 0

    def __str__(self) -> str:
        ends = ", ".join(f"{count} {end}" for end, count in sorted(self.ends.items()))
        return f"{self.points} points, {self.restarts} states restarted from; runs: {ends}"


def run_and_cut(case: Case, state: State, cut: Cut, plan: WrongAnswers | None = None) -> Run:
    """Run the tap from the state and interrupt it."""
    started = case.start(state, plan, pipe_size=PIPE)
    with started.out as out:
        read = b"".join(islice(out, cut.lines))
        number = CUTS[cut.ending].signal
        if number is None:
            time.sleep(cut.seconds)
        elif cut.blocked:
            time.sleep(cut.seconds)
            _kill(started.pid, number)
            read += out.read()
        else:
            timer = Timer(cut.seconds, _kill, (started.pid, number))
            timer.start()
            read += out.read()
            timer.cancel()
            timer.join()
    return case.end(started, read)


def _kill(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def check_end(run: Run, cut: Cut | None, *, may_fail: bool = False) -> str:
    """Return the ending; the run may have completed before the cut unless the cut is `sure`.

    With wrong answers, it may have failed before.
    """
    last = run.log.strip().splitlines()[-1:]
    if "Traceback" in run.log:
        raise Violation(f"a traceback: {last}")
    if leaks(run.log, SECRETS) or any(secret in f"{run.messages}" for secret in SECRETS):
        raise Violation("a secret in the log or in the messages")
    if run.half_line and not (cut and cut.ending in {"sigkill", "broken_pipe"}):
        raise Violation(f"ended with a part of a line: {run.half_line[-60:]!r}")
    ending = CUTS[cut.ending] if cut else Ending(0)
    said = next((each.said for each in CUTS.values() if each.said and each.said in run.log), None)
    if cut and not cut.sure and (run.code, said) == (0, None):
        return COMPLETE
    if may_fail and (run.code, said) == (1, None) and " | ERROR " in last[0]:
        return FAILED
    if (run.code, said) != (ending.code, ending.said):
        raise Violation(f"exit code {run.code}, for {ending.code}; the log ends with {last}")
    if cut and cut.ending == "broken_pipe" and (ending.said or "") not in last[0]:
        raise Violation(f"the log does not end with what happened: {last}")
    return cut.ending if cut else COMPLETE


def check_bookmarks(states: Sequence[State], last_day: str, *, may_vanish: bool) -> None:
    """Check that no bookmark moves back, passes the last day, or disappears."""
    marks = [_bookmarks(state) for state in states]
    for before, after in pairwise(marks):
        for partition, mark in before.items():
            if partition in after and after[partition] < mark:
                raise Violation(f"moved back from {mark} to {after[partition]}: {partition}")
            if partition not in after and not may_vanish:
                raise Violation(f"vanished: the bookmark {mark} of {partition}")
    for partition, mark in (each for found in marks for each in found.items()):
        if mark > last_day:
            raise Violation(f"bookmark {mark} after {last_day}: {partition}")


def _bookmarks(state: State) -> dict[Partition, str]:
    return {
        (stream, frozenset(partition["context"].items())): partition["replication_key_value"]
        for stream, value in (state or {}).get("bookmarks", {}).items()
        for partition in value.get("partitions", [])
        if "replication_key_value" in partition
    }


def check_whole(start: State, messages: Iterable[Message], table: Table, expected: Table) -> None:
    """Check that the period of each bookmark and all periods before it are complete."""
    table, marks = table.after([]), _bookmarks(start)
    for message in messages:
        table.load(message)
        if message["type"] == "STATE":
            moved = _bookmarks(message["value"])
            for (stream, context), mark in moved.items() - marks.items():
                last = marks.get((stream, context), "")
                for key, row in expected.of(stream):
                    if last < row["start_date"] <= mark and context <= row.items():
                        _check_row(key, table, expected, f"not there at the bookmark {mark}")
            marks = moved


def check_table(found: Table, expected: Table) -> None:
    """Check that the tables are equal."""
    for key in found.rows.keys() | expected.rows.keys():
        _check_row(key, found, expected, "not as without a cut")


ZEROES = ("price", "usage", "count", "deduplicated_price", "BilledCost")


def _check_row(key: Key, found: Table, expected: Table, what: str) -> None:
    one, other = found.rows.get(key), expected.rows.get(key)
    if one and not other and not any(one.get(amount) for amount in ZEROES):
        return  # a category that a day does not list: zero, in a run that knows it from another
    if one and other and one.get("BilledCost") == other.get("BilledCost") == 0:
        return  # a FOCUS row without cost is emitted only to overwrite one that had some
    if one and other:
        differ = [name for name in one if one[name] != other.get(name)]
        one, other = ({name: row.get(name) for name in differ} for row in (one, other))
    if one != other:
        raise Violation(f"{what}: {key}: {one}, for {other}")


def check_truth(case: Case, table: Table) -> None:
    """Check that each period sums to what the company was charged."""
    for stream in (*case.streams, *([FOCUS] if case.has_focus else [])):
        if stream not in AMOUNTS:
            continue
        for period in case.periods(stream):
            first, last = map(str, period)
            start = "ChargePeriodStart" if stream == FOCUS else "start_date"
            rows = [row for _, row in table.of(stream) if first <= row[start][:10] <= last]
            truth = case.truth(stream, period)
            for amount in AMOUNTS[stream]:
                found = sum(row[amount] for row in rows)
                if found != truth:
                    raise Violation(f"{stream} holds {found} for {truth} of {first}..{last}")


class Trial:
    """A case, and the table after a complete run."""

    def __init__(self, case: Case, tally: Tally) -> None:
        self.case = case
        self.tally = tally
        self.whole = case.complete(case.state)
        self.expected = case.table.after(self.whole.messages)
        self._check(case.state, self.whole, case.table, None)
        check_truth(case, self.expected)

    def restart_from_each(self, random: Random) -> None:
        """Run again from each state of the complete run."""
        self._restart(self.whole, random, STATES_OF_A_WHOLE_RUN)

    def cut_off(self, ending: str, random: Random) -> None:
        """Interrupt a run, and run again from its states."""
        cut = Cut.draw(ending, self.whole, random)
        plan = self.case.wrong_answers(random)
        run = self._cut(self.case.state, self.case.table, cut, plan)
        self._restart(run, random, random.choice(STATES_OF_A_RUN))

    def _restart(self, run: Run, random: Random, most: int) -> None:
        states = run.states or [(0, self.case.state)]
        between = states[1:-1]
        some = random.sample(between, min(len(between), most - 2))
        for position, state in [*states[:1], *some, *states[1:][-1:]]:
            read = random.choice([position, len(run.messages)])
            self._go_on(state, self.case.table.after(run.messages[:read]), random)

    def _go_on(self, state: State, table: Table, random: Random) -> None:
        """Run again from the state, perhaps with another interruption, until a run completes."""
        self.tally.restarts += 1
        while random.random() < CUT_OFF_AGAIN:
            cut = Cut.draw(random.choice([*CUTS]), self.whole, random)
            cut = cut._replace(sure=False)  # this run may have less to read
            run = self._cut(state, table, cut, self.case.wrong_answers(random))
            position, state = random.choice([(0, state), *run.states[-3:]])
            read = random.choice([position, len(run.messages)])
            table = table.after(run.messages[:read])
        run = self.case.complete(state)
        self._check(state, run, table, None)
        check_table(table.after(run.messages), self.expected)

    def _cut(self, state: State, table: Table, cut: Cut, plan: WrongAnswers | None) -> Run:
        run = run_and_cut(self.case, state, cut, plan)
        try:
            self._check(state, run, table, cut, may_fail=plan is not None)
        except Violation as violation:
            raise Violation(f"{violation}; {cut}") from None
        return run

    def _check(
        self, state: State, run: Run, table: Table, cut: Cut | None, *, may_fail: bool = False
    ) -> None:
        self.tally.ends[check_end(run, cut, may_fail=may_fail)] += 1
        states = [state, *(value for _, value in run.states)]
        check_bookmarks(states, f"{self.case.last_day}", may_vanish=self.case.changes)
        check_whole(state, run.messages, table, self.expected)


def try_points(mode: str, ending: str, seed: int, points: Iterable[int]) -> Tally:
    """Try these points. Raises Violation with the arguments that reproduce it."""
    tally = Tally()
    of_a_case = 1 if ending == COMPLETE else MODES[mode].points_of_a_case
    for number, group in groupby(points, lambda point: point // of_a_case):
        again = f"--seed {seed} --mode {mode} --ending {ending} --point {number * of_a_case}"
        try:
            with case_of(MODES[mode], Random(f"{seed} {mode} {ending} {number}")) as case:
                trial = Trial(case, tally)
                for point in group:
                    again = f"--seed {seed} --mode {mode} --ending {ending} --point {point}"
                    random = Random(f"{seed} {mode} {ending} {number} {point}")
                    tally.points += 1
                    if ending == COMPLETE:
                        trial.restart_from_each(random)
                    else:
                        trial.cut_off(ending, random)
        except Violation as violation:
            raise Violation(f"{again}: {violation}") from None
    return tally


def main() -> int:
    """Try points of all modes and endings, or of the selected ones."""
    preload("tests.restart_cases")
    parser = argparse.ArgumentParser(prog="python -m tests.restart", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--points", type=int, default=280, help="in all")
    parser.add_argument("--mode", choices=MODES)
    parser.add_argument("--ending", choices=ENDINGS)
    parser.add_argument("--point", type=int, help="only this one")
    asked = parser.parse_args()
    tried = [
        (mode, ending)
        for mode in MODES
        for ending in ENDINGS
        if asked.mode in (None, mode) and asked.ending in (None, ending)
    ]
    each = -(-asked.points // len(tried))
    points = range(each) if asked.point is None else [asked.point]
    for mode, ending in tried:
        try:
            tally = try_points(mode, ending, asked.seed, points)
        except Violation as violation:
            print(violation, file=sys.stderr)  # noqa: T201
            return 1
        print(f"{mode}, {ending}: {tally}", flush=True)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
