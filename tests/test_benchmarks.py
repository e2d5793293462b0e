"""The benchmarks work, and all their tools read the same data. No time is checked here."""

from __future__ import annotations

import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from benchmarks import floor, twilio_library
from benchmarks.case import TODAY, Case
from benchmarks.growth import Line, Series
from benchmarks.picture import draw
from benchmarks.report import Target
from benchmarks.runs import measure
from benchmarks.sandboxed import Sandbox
from benchmarks.sizes import AGE
from benchmarks.surroundings import environment
from benchmarks.tools import ALL_ROWS, FLOOR, LIBRARY, PLAIN, STREAM, TAP, Singer, Task
from sandbox import MAIN_SID, Server
from tests.conftest import ROOT, Run

CASE = Case(2, accounts=3, age=AGE, categories=100)

Records = set[tuple[str, str, str, Decimal]]


def tables(text: str) -> list[tuple[str, list[list[str]]]]:
    """Return each table: the heading of its first column, and the cells of its rows."""
    found = []
    for lines in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        head, _, *rows = (
            [cell.strip() for cell in line.strip("|").split("|")] for line in lines.splitlines()
        )
        found.append((head[0], rows))
    return found


def run(*arguments: str | Path, module: str = "benchmarks") -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, "--quick", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.nightly
def test_all_ways_to_load_have_the_same_rows() -> None:
    found = tables(run("year", "night", module="benchmarks.loading"))
    assert [len(rows) for _, rows in found] == [7, 5]
    for _, rows in found:
        assert len({row[-2] for row in rows}) == 1
        wrong_days = {row[0]: int(row[-1]) for row in rows}
        assert wrong_days.pop("target-duckdb") > 0
        assert {*wrong_days.values()} == {0}


@pytest.mark.nightly
def test_checksums_save_focus_rows_and_no_records() -> None:
    ((_, (checksums, all_rows)),) = tables(run(module="benchmarks.billed"))
    assert checksums[1] == all_rows[1] == all_rows[2]
    assert 0 < int(checksums[2]) < int(all_rows[2])


@pytest.mark.nightly
def test_all_tools_read_the_same_number_of_rows() -> None:
    said = run("year", "accounts", "night")
    found = tables(said)
    assert [head for head, _ in found] == ["reader"] * 3
    for _, rows in found:
        counts = {row[0]: int(row[-1]) for row in rows}
        all_rows = {counts[tool.name] for tool in (FLOOR, LIBRARY, PLAIN, ALL_ROWS)}
        assert len(all_rows) == 1
        assert 0 < counts[TAP.name] < all_rows.pop()
    assert said.split("### Targets")[1].count("requests, where") == 3


@pytest.mark.nightly
def test_limits_and_growth_are_printed_and_drawn(tmp_path: Path) -> None:
    picture = tmp_path / "growth.svg"
    said = run("limited", "growth", "--picture", picture)
    (head, rows), *growing = tables(said)
    assert head == "max_concurrent_requests"
    assert [row[0] for row in rows] == ["1", "2", "4", "16"]
    assert [head for head, _ in growing] == [TAP.name, TAP.name, ALL_ROWS.name]
    assert "Each additional day takes" in said
    assert "requests for each account" in picture.read_text()


def test_the_same_numbers_draw_the_same_chart(tmp_path: Path) -> None:
    line = Line.through((1.0, 2.0, 3.0), (2.0, 4.0, 6.0))
    first, second = tmp_path / "first.svg", tmp_path / "second.svg"
    for path in (first, second):
        draw([Series("day", "1 account", line, line)], path)
    assert line(4.0) == 8.0
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.nightly
def test_all_tools_read_the_same_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    with Server(CASE.company()) as server:
        asked = server.url, f"{CASE.first}", f"{TODAY}"
        expected = {
            (row["account_sid"], row["start_date"], row["category"], Decimal(row["price"]))
            for page in floor.pages(*asked)
            for row in page
        }
        of_library = {
            (row.account_sid, f"{row.start_date}", row.category, Decimal(row.price))
            for row in twilio_library.records(*asked)
        }
        task = Task(CASE, server.url)
        of_plain, of_tap = written(PLAIN, task, tmp_path), written(ALL_ROWS, task, tmp_path)
    assert {MAIN_SID} < {account for account, *_ in expected}
    assert of_library == expected
    assert of_plain == expected
    assert of_tap == expected


def written(tool: Singer, task: Task, folder: Path) -> Records:
    command = tool.command(task, folder)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {
        (row["account_sid"], row["start_date"], row["category"], Decimal(row["price"]))
        for row in Run(0, done.stdout, "").records(STREAM)
    }


@pytest.mark.parametrize("case", [CASE, Case(8)], ids=str)
def test_the_fewest_requests_are_those_of_full_pages(case: Case) -> None:
    with Sandbox(case) as sandbox:
        requests = measure(FLOOR, sandbox).requests
    # The floor also lists the accounts once, but does not read their whole history.
    assert case.fewest_requests() == requests + case.accounts
    assert case.fewest_requests(resumed=True) == requests + case.accounts - (case.accounts == 1)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (Target("a", 1.5, most=1.5), "- holds: a: 1.5 (at most 1.5)"),
        (Target("b", 1.51, most=1.5), "- FAILS: b: 1.51 (at most 1.5)"),
        (Target("c", 4.0, least=4), "- holds: c: 4 (at least 4)"),
        (Target("d", 3.99, least=4), "- FAILS: d: 3.99 (at least 4)"),
    ],
)
def test_a_target_says_whether_it_holds(target: Target, said: str) -> None:
    assert f"{target}" == said
    assert target.holds == ("holds" in said)
