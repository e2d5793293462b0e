"""The targets of docs/targets.md load three accounts on two nights; the page says what came of it.

`python -m tests.test_targets` measures again and writes the table of the page.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from benchmarks.postgres import postgres as postgres_server
from benchmarks.postgres import unused_port
from sandbox import (
    Company,
    Server,
)
from tests.conftest import (
    ROOT,
    SCHEMA,
    Run,
    blocks,
    catalog_of,
    forked_in,
)
from tests.loaders import (
    LOADERS,
    Destination,
    Loader,
    Place,
    create_bucket,
    install,
    of_meltano,
)
from tests.loading import settings as everything
from tests.waiting import until

pytestmark = pytest.mark.nightly

PAGE = ROOT / "docs" / "targets.md"
FIRST, LAST = date(2025, 8, 16), date(2025, 9, 29)  # 45 days; the next night adds one
STREAM = "usage_records_daily"
KINDS = {
    "money": (STREAM, "deduplicated_price"),
    "day": (STREAM, "start_date"),
    "moment": (STREAM, "as_of"),
    "flag": (STREAM, "includes_subaccounts"),
    "array": ("categories", "also_included_in"),
}
RESULTS = ["target", "loads into", "verdict", "second night", "wrong days", "with the cast"]
COLUMNS = ["target", *KINDS, "money with `use_singer_decimal`", "exact amount", "date"]
PROOF = "HAVING COALESCE(SUM("
TYPES = {"character varying": "varchar", "double precision": "double"}

Totals = dict[tuple[str, str], Decimal]  # of an account and day


@dataclass(frozen=True)
class Night:
    messages: Path
    run: Run


def two_nights(folder: Path, *, use_singer_decimal: bool) -> list[Night]:
    """Run the tap on two nights, between which Twilio restates days."""
    company = Company(
        today=LAST + timedelta(days=2), categories=60, subaccounts=2, new_category_from=LAST
    )
    folder.mkdir()
    sync = forked_in(folder)
    with Server(company) as server:
        settings = everything(
            server,
            subaccounts="separate",
            focus=True,
            use_singer_decimal=use_singer_decimal,
            start_date=f"{FIRST}",
            end_date=f"{LAST}",
        )
        catalog = sync(settings, "--discover").catalog
        catalog_of(catalog, *(stream["tap_stream_id"] for stream in catalog["streams"]))
        first = sync(settings, catalog=catalog)
        for days in (3, 9):
            changed = LAST - timedelta(days=days)
            company.restate(changed, "sms-outbound-longcode", price_factor=Decimal("1.5"))
        settings["end_date"] = f"{LAST + timedelta(days=1)}"
        second = sync(settings, catalog=catalog, state=first.states[-1])
    nights = []
    for number, run in enumerate((first, second)):
        assert run.code == 0, run.log
        messages = folder / f"{number}.jsonl"
        messages.write_text(run.out)
        nights.append(Night(messages, run))
    return nights


def newest(nights: list[Night]) -> dict[tuple[str, ...], dict[str, Any]]:
    """Return the rows of all nights by key."""
    rows = (row for night in nights for row in night.run.records())
    return {(row["account_sid"], row["category"], row["start_date"]): row for row in rows}


def totals(nights: list[Night]) -> Totals:
    return {
        (row["account_sid"], row["start_date"]): row["price"]
        for row in newest(nights).values()
        if row["category"] == "totalprice"
    }


@dataclass(frozen=True)
class Measured:
    """What came of a target."""

    loader: Loader
    error: str | None = None
    types: Mapping[str, str] | None = None
    as_decimal: str = ""  # the type of money with use_singer_decimal
    keys: int = 0
    rows: int = 0
    days: int = 0
    wrong_days: int = 0  # by the plain sum
    wrong_days_with_cast: int = 0

    @property
    def verdict(self) -> str:
        if self.error:
            return "does not load"
        if self.rows < self.keys:
            return "overwrites history"
        if not self.wrong_days:
            return "exact"
        return "loses digits" if self.wrong_days_with_cast else "needs a cast"

    @property
    def results(self) -> list[str]:
        """The cells of the first table."""
        second = {self.rows > self.keys: "appends", self.rows == self.keys: "upserts"}
        return [
            f"`{self.loader.name}`",
            self.loader.engine,
            f"**{self.verdict}**",
            *(
                ["", "", ""]
                if self.error
                else [
                    f"{second.get(True, 'overwrites')}: {self.rows:,} rows, {self.keys:,} keys",
                    f"{self.wrong_days} of {self.days}",
                    f"{self.wrong_days_with_cast} of {self.days}",
                ]
            ),
        ]

    @property
    def columns(self) -> list[str]:
        """The cells of the second table."""
        types = self.types or {}
        amount = f"`{self.loader.amount.format('price')}`" if self.wrong_days else ""
        day = f"`{self.loader.day.format('start_date')}`" if self.loader.day != "{}" else ""
        return [
            f"`{self.loader.name}`",
            *(types[kind] for kind in KINDS),
            self.as_decimal,
            amount,
            day,
        ]

    @property
    def rows_of_tables(self) -> list[str]:
        return [row(self.results), *([] if self.error else [row(self.columns)])]


def type_of(destination: Destination, kind: str) -> str:
    stream, column = KINDS[kind]
    found = destination.types(stream).get(column, "a table of its own").lower()
    return TYPES.get(found, found)


def wrong_days(destination: Destination) -> int:
    """Return the number of days whose plain sum differs from the plain total beside it."""
    total = "SUM(CASE WHEN category = 'totalprice' THEN price END)"
    rows = destination.query(
        f"SELECT COUNT(*) FROM (SELECT account_sid FROM {SCHEMA}.{STREAM} "
        f"GROUP BY account_sid, start_date HAVING SUM(deduplicated_price) <> {total}) AS wrong"
    )
    return int(rows[0][0])


def exact_sums(loader: Loader, destination: Destination) -> Totals:
    amount = loader.amount.format("deduplicated_price")
    rows = destination.query(
        f"SELECT account_sid, start_date, SUM({amount}) FROM {SCHEMA}.{STREAM} GROUP BY 1, 2"
    )
    return {(sid, f"{day}"[:10]): total for sid, day, total in rows}


def queries(loader: Loader) -> list[str]:
    """Return the queries of README and docs/warehouse.md with the SQL of the page's table."""
    pages = [ROOT / "README.md", ROOT / "docs" / "warehouse.md"]
    found = []
    for query in (query for page in pages for query in blocks(page, "sql")):
        if any(word in query for word in ("DECIMAL(", "aws.", "information_schema")):
            continue  # DuckDB's own, FOCUS with another provider, and PostgreSQL's types
        summed = re.sub(
            r"SUM\((\w+)\)", lambda sum_: f"SUM({loader.amount.format(sum_[1])})", query
        )
        price = f"THEN {loader.amount.format('price')} END"
        summed = summed.replace("THEN price END", price)
        day = loader.day.format("start_date")
        found.append(
            summed.replace("'month', start_date", f"'month', {day}").replace(
                "MAX(start_date)", f"MAX({day})"
            )
        )
    assert len(found) == 5
    return found


def row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |\n".replace("|  |", "| |").replace("|  |", "| |")


def tables(results: list[Measured]) -> list[str]:
    """Return the two tables of the page."""
    found = []
    for head, rows in (
        (RESULTS, [each.results for each in results]),
        (COLUMNS, [each.columns for each in results if not each.error]),
    ):
        found.append("".join(map(row, [head, ["---"] * len(head), *rows])))
    return found


def on_page(text: str) -> list[str]:
    return re.findall(r"(?m)^\| target \|.*\n(?:\|.*\n)+", text)


def without_chance(text: str) -> str:
    """Leave out how many days are wrong: that depends on the order in which rows are summed."""
    return re.sub(r"\b[1-9]\d* of", "some of", text)


@contextmanager
def s3_server(environments: Path) -> Iterator[str]:
    """Yield the URL of moto, an emulator of S3."""
    environment = environments / "moto"
    install(environment, "moto[server]~=5.1")
    port = unused_port()
    log = environments / "moto.log"
    with (
        log.open("w") as file,
        subprocess.Popen(
            [environment / "bin" / "moto_server", "-p", f"{port}"], stdout=file, stderr=file
        ) as process,
    ):
        try:
            until(lambda: "Running on" in log.read_text())
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


class Lab:
    """The outputs of the tap, and the servers that targets load into."""

    def __init__(self, folder: Path, postgres: str, s3: str) -> None:
        self.folder, self.postgres, self.s3 = folder, postgres, s3
        self.plain = two_nights(folder / "plain", use_singer_decimal=False)
        self.as_text = two_nights(folder / "as-text", use_singer_decimal=True)

    def place(self, name: str) -> Place:
        """Return an empty place."""
        (self.folder / name).mkdir()
        with psycopg.connect(f"{self.postgres}/postgres", autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        with psycopg.connect(f"{self.postgres}/{name}") as connection:
            connection.execute(f"CREATE SCHEMA {SCHEMA}")
        place = Place(self.folder / name, f"{self.postgres}/{name}", f"{self.s3}/{name}")
        create_bucket(place.s3)
        return place

    def load(
        self, loader: Loader, name: str, nights: list[Night]
    ) -> tuple[Destination | None, str | None]:
        """Load the nights; return what is there, or the error."""
        place = self.place(f"{loader.name}-{name}")
        for night in nights:
            if error := loader.load(self.folder, place, night.messages):
                return None, error
        assert loader.destination
        return loader.destination(place), None

    def measure(self, loader: Loader) -> tuple[Measured, Destination | None]:
        """Load the two nights, and those of use_singer_decimal; return what is there."""
        loader.install(self.folder)
        destination, error = self.load(loader, "plain", self.plain)
        if destination is None:
            return Measured(loader, error), None
        of_text, _ = self.load(loader, "text", self.as_text)
        expected = totals(self.plain)
        sums = exact_sums(loader, destination)
        assert sums.keys() <= expected.keys()
        found = Measured(
            loader,
            None,
            {kind: type_of(destination, kind) for kind in KINDS},
            type_of(of_text, "money") if of_text else "does not load",
            len(newest(self.plain)),
            destination.rows(STREAM),
            len(sums),
            wrong_days(destination),
            sum(total != expected[day] for day, total in sums.items()),
        )
        return found, destination


@contextmanager
def lab_in(folder: Path) -> Iterator[Lab]:
    with postgres_server() as postgres, s3_server(folder) as s3:
        yield Lab(folder, postgres, s3)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab_in(tmp_path_factory.mktemp("targets")) as found:
        yield found


@pytest.mark.parametrize("name", ["target-postgres", "target-snowflake", "target-bigquery"])
def test_meltano_yml_has_the_settings_of_the_target(tmp_path: Path, name: str) -> None:
    loader = of_meltano(name)
    install(tmp_path / "target", *loader["pip_url"].split())
    about = subprocess.check_output(
        [tmp_path / "target" / "bin" / name, "--about", "--format=json"], stderr=subprocess.DEVNULL
    )
    names = {setting["name"] for setting in loader["settings"]}
    assert names == json.loads(about)["settings"]["properties"].keys()


@pytest.mark.parametrize("loader", LOADERS, ids=lambda loader: loader.name)
def test_a_target_does_what_the_page_says(lab: Lab, loader: Loader) -> None:
    measured, destination = lab.measure(loader)
    page = without_chance(PAGE.read_text())
    for row in measured.rows_of_tables:
        assert without_chance(row) in page
    if destination is None:
        assert f"{measured.error}" in page
        return
    if loader.name == "target-jsonl":
        (view,) = blocks(PAGE, "sql")
        destination.query(view.replace("output/", f"{lab.folder}/{loader.name}-plain/"))
        assert destination.query(f"SELECT COUNT(*) FROM {STREAM}") == [(measured.keys,)]
    for query in queries(loader):
        assert bool(destination.query(query)) != (PROOF in query), query


def main() -> None:
    """Measure all targets and write the tables of the page."""
    with tempfile.TemporaryDirectory() as folder, lab_in(Path(folder)) as lab:
        results = [lab.measure(loader)[0] for loader in LOADERS]
    text = PAGE.read_text()
    for old, new in zip(on_page(text), tables(results), strict=True):
        text = text.replace(old, new)
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
