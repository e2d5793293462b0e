"""The command `tap-twilio-usage-focus-files`: write the loaded FOCUS rows as files to deliver."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from decimal import localcontext
from pathlib import Path, PurePosixPath
from typing import Any

from tap_twilio_usage import __version__
from tap_twilio_usage.money.amounts import EXACT
from tap_twilio_usage.report.command import SCHEMA, URL_HELP, failing_in_one_line, read_month
from tap_twilio_usage.report.errors import ReportError

TABLE = "focus_cost_and_usage"
READERS = ("focus", "cloudability", "vantage")
VERSIONS = ("1.0", "1.1", "1.2", "1.3", "1.4")
TAKEN: Mapping[str, Mapping[str, tuple[str, ...]]] = {  # by readers with their own form
    "cloudability": {"--focus-version": ("1.0", "1.1"), "--format": ("parquet",)},
    "vantage": {"--format": ("csv",)},
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the files. A failure is one line and exit code 1."""
    asked = _parser().parse_args(arguments)
    with failing_in_one_line("focus-files"), localcontext(EXACT):
        listed = _deliver(asked)
    rows = sum(each["rows"] for each in listed)
    sys.stdout.write(f"focus-files: {rows} rows in {len(listed)} files in {asked.folder}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tap-twilio-usage-focus-files",
        description=f"Write the table {TABLE} as a file for each month and account.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the files go")
    parser.add_argument("--url", help=URL_HELP)
    parser.add_argument("--schema", default=SCHEMA, help=f"schema of the table (default: {SCHEMA})")
    parser.add_argument(
        "--table",
        default=TABLE,
        help=f"table, such as the dbt model {TABLE}_allocated (default: {TABLE})",
    )
    parser.add_argument(
        "--for",
        dest="reader",
        choices=READERS,
        default="focus",
        help="who reads the files: any reader of FOCUS (the default), or one with its own form",
    )
    parser.add_argument(
        "--focus-version",
        choices=VERSIONS,
        help="version of the columns (default: 1.3; for Cloudability 1.1, for Vantage its own)",
    )
    parser.add_argument(
        "--format",
        choices=("parquet", "csv"),
        help="of the files for any reader of FOCUS (default: parquet)",
    )
    parser.add_argument(
        "--since", type=read_month, metavar="YYYY-MM", help="first month to write (default: all)"
    )
    parser.add_argument(
        "--lookback-days",
        type=_number_of_days,
        default=35,
        metavar="N",
        help="the tap's setting lookback_days: older days are complete (default: 35)",
    )
    return parser


def _number_of_days(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days; use 0 or more")
    return int(text)


def _check(asked: argparse.Namespace) -> None:
    """Raise ReportError for an option that the reader's own form does not have."""
    if asked.reader not in TAKEN:
        return
    for option, given in (("--focus-version", asked.focus_version), ("--format", asked.format)):
        taken = TAKEN[asked.reader].get(option, ())
        if given and given not in taken:
            instead = f"use {' or '.join(taken)}, or omit it" if taken else "omit it"
            raise ReportError(f"{option} {given} is not for {asked.reader}; {instead}")


def _deliver(asked: argparse.Namespace) -> list[dict[str, Any]]:
    """Write the files and their manifest; return the files."""
    _check(asked)
    from sqlalchemy import inspect  # noqa: PLC0415

    from tap_twilio_usage.focus import delivery  # noqa: PLC0415
    from tap_twilio_usage.report.address import address  # noqa: PLC0415
    from tap_twilio_usage.report.warehouse import connected  # noqa: PLC0415

    with connected(address(asked.url, os.environ)) as connection:
        inspector = inspect(connection)
        if not inspector.has_table(asked.table, schema=asked.schema):
            raise ReportError(
                f"no table {asked.table} in schema {asked.schema}; load it with the setting focus, "
                "or use --schema and --table"
            )
        stored = [each["name"] for each in inspector.get_columns(asked.table, asked.schema)]
        columns = delivery.names(stored)
        if lacking := [each for each in delivery.NEEDED if each not in columns.values()]:
            raise ReportError(
                f"{asked.table} has no column {', '.join(lacking)}; use the table "
                "focus_cost_and_usage, or the dbt model"
            )
        try:
            return _write(asked, columns.values(), _rows(connection, asked, columns))
        except ValueError as error:
            raise ReportError(f"{error}") from None
        except OSError as error:
            raise ReportError(f"{asked.folder} cannot be written: {error.strerror}") from None


def _rows(
    connection: Any, asked: argparse.Namespace, columns: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """Yield the rows by month, account and day."""
    from sqlalchemy import column, select, table  # noqa: PLC0415

    from tap_twilio_usage.focus.columns import KEY  # noqa: PLC0415
    from tap_twilio_usage.focus.delivery import moment  # noqa: PLC0415

    found = table(asked.table, *map(column, columns), schema=asked.schema)
    by_name = {name: found.c[stored] for stored, name in columns.items()}
    account, category, begins = (by_name[name] for name in KEY)
    owners = [by_name[name] for name in ("x_Owner", "x_CostCenter") if name in by_name]
    order = (by_name["BillingPeriodStart"], account, begins, category, *owners)
    query = select(found).order_by(*order)
    for row in connection.execution_options(yield_per=10_000).execute(query):
        named = dict(zip(columns.values(), row, strict=True))
        month = moment(named["BillingPeriodStart"])
        if asked.since is None or (month and month.date() >= asked.since):
            yield named


def _write(
    asked: argparse.Namespace, columns: Iterable[str], rows: Iterator[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Write the files as their reader takes them, and their manifest, which lists them."""
    from tap_twilio_usage.focus import delivery, files  # noqa: PLC0415
    from tap_twilio_usage.focus.metadata import metadata  # noqa: PLC0415

    written, tally = datetime.now(timezone.utc), delivery.Tally()
    version, suffix = asked.focus_version, f".{asked.format or 'parquet'}"
    form = delivery.form(asked.reader, columns, written, version=version, suffix=suffix)
    compression: files.Compression = "gzip" if asked.reader == "cloudability" else "snappy"
    listed: list[dict[str, Any]] = []
    for part in delivery.parts(rows, form.most):
        path, before = form.path(part), tally.cost
        target = asked.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        projected = map(form.project, tally.of(part.rows))
        number = files.write(target, projected, [*form.described], form.described, compression)
        about = {"path": f"{path}", "month": f"{part.month:%Y-%m}", "account": part.account}
        listed.append({**about, "rows": number, "billed_cost": f"{tally.cost - before:f}"})
    if not listed:
        raise ReportError("the table has no row in these months; load them, or use another --since")
    manifest: dict[str, Any] = {"files": listed}
    if asked.reader == "focus":
        manifest["metadata"] = about_all = metadata(
            form,
            tally,
            generator=__version__,
            written=written,
            lookback_days=asked.lookback_days,
        )
        for each in listed:
            each["schema_id"] = about_all["Schema"][0]["SchemaId"]
    manifests = {PurePosixPath("manifest.json"): manifest}
    if asked.reader == "cloudability":
        root = asked.folder.resolve().name
        manifests = dict(delivery.manifests_for_cloudability(root, form.version, listed))
    for path, content in manifests.items():
        (asked.folder / path).write_text(f"{json.dumps(content, indent=2)}\n", "utf-8")
    return listed


if __name__ == "__main__":
    main()
