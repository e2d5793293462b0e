"""`python -m benchmarks.raw_rows`: the command de-duplicates a million rows of another connector.

The rows are as in Fivetran's table, of the sandbox's company: all rows of a day, zeros included, as
Twilio lists them; or only those with a price, which are more work a row.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import count, cycle, islice
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from sandbox import Company

ROWS = 1_000_000
TARGET = 10  # seconds
COMMAND = Path(sys.executable).with_name("tap-twilio-usage-deduplicate")


def main() -> int:
    """Print a table. The exit code is 1 if the target is missed, except with `--quick`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.raw_rows", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only a few rows")
    quick = parser.parse_args().quick
    wanted = ROWS // 200 if quick else ROWS
    missed = False
    say("| rows | file | wall | CPU |\n|---|---|---|---|")
    for kind, only_priced in (("all", False), ("with a price", True)):
        table = pa.Table.from_pylist([*islice(rows(only_priced=only_priced), wanted)])
        with tempfile.TemporaryDirectory() as name:
            for suffix in (".parquet", ".csv"):
                given = Path(name, f"in{suffix}")
                write = pa.csv.write_csv if suffix == ".csv" else pa.parquet.write_table
                write(table, given)
                start, before = time.perf_counter(), cpu()
                subprocess.run(  # noqa: S603 - the command of this project
                    [COMMAND, given, given.with_stem("out")], check=True, capture_output=True
                )
                wall = time.perf_counter() - start
                missed |= wall >= TARGET
                used = cpu() - before
                say(f"| {len(table):,}, {kind} | {suffix} | {wall:.1f} s | {used:.1f} s |")
    return int(missed and not quick)


def rows(*, only_priced: bool) -> Iterator[dict[str, object]]:
    """Yield rows without end: the days of the company's year, for one account after the other."""
    company = Company(today=date(2025, 12, 31))
    days = [date(2025, 1, 1) + timedelta(days=number) for number in range(365)]
    found = [(day, company.rows(day)) for day in days]
    for number, (day, listed) in zip(count(), cycle(found)):
        account = f"AC{number // len(days):032x}"
        for row in listed:
            if row.price or not only_priced:
                yield {
                    "account_id": account,
                    "category": row.category,
                    "start_date": day,
                    "end_date": day,
                    "count": f"{row.events or 0}",
                    "usage": f"{row.usage}",
                    "price": f"{row.price}",
                    "price_unit": "usd",
                    "usage_unit": "messages",
                }


def cpu() -> float:
    """Return the CPU time in seconds of the processes that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
