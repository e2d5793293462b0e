"""What the commands that read a warehouse have in common. Needs no package of an extra."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timezone

from tap_twilio_usage.report.errors import ReportError

SCHEMA = "tap_twilio_usage"  # of the targets in meltano.yml
MODELS = "twilio_usage"  # of the dbt models
URL_HELP = (
    "SQLAlchemy URL of the warehouse (default: TAP_TWILIO_USAGE_REPORT_URL, else the database that "
    "TARGET_POSTGRES_* or TARGET_DUCKDB_PATH name)"
)
# The packages that an extra installs.
EXTRAS = {"report": {"duckdb_engine", "jinja2", "markupsafe", "psycopg", "sqlalchemy"}}
EXTRAS["alerts"] = EXTRAS["report"] | {"apprise"}


@contextmanager
def failing_in_one_line(command: str, extra: str = "report") -> Iterator[None]:
    """End the command with one line and exit code 1 if the body fails, or lacks a package."""
    try:
        yield
    except ReportError as error:
        sys.exit(f"{command}: {error}")
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        wanted = f"'tap-twilio-usage[{extra}]'" if name in EXTRAS[extra] else "its package"
        sys.exit(f"{command}: {name} is not installed; pip install {wanted}")


def read_month(text: str) -> date:
    """Return the first day of a month that an option names."""
    try:
        return datetime.strptime(text, "%Y-%m").replace(tzinfo=timezone.utc).date()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid month; use YYYY-MM") from None
