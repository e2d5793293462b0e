"""The command `tap-twilio-usage-alerts`: say what is wrong, and send each thing once."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, NoReturn

from tap_twilio_usage.report.command import MODELS, URL_HELP, failing_in_one_line
from tap_twilio_usage.report.errors import ReportError

if TYPE_CHECKING:
    from tap_twilio_usage.alerts.alert import Alert
    from tap_twilio_usage.alerts.recipients import Recipient
    from tap_twilio_usage.alerts.sent import Sent

NOTIFY = "TAP_TWILIO_USAGE_ALERTS_NOTIFY"
OPTIONAL = ("today", "balance")  # their streams are not loaded by default
CHECKS = ("fresh", "anomalies", "budgets", "months", *OPTIONAL)
FOUND = 3  # the exit code


def main(arguments: Sequence[str] | None = None, today: date | None = None) -> NoReturn:
    """Print the alerts and end with 3 if there are any. A failure is one line and exit code 1."""
    asked = _parsed(arguments)
    with failing_in_one_line("alerts", extra="alerts"):
        found = _run(asked, today or datetime.now(timezone.utc).date())
    sys.exit(FOUND if found and not asked.exit_zero else 0)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tap-twilio-usage-alerts",
        description="Say what is unusual, over budget or missing in the warehouse. Exit code 3: "
        "something is.",
        allow_abbrev=False,
    )
    parser.add_argument("--url", help=URL_HELP)
    parser.add_argument(
        "--schema", default=MODELS, help=f"schema of the dbt models (default: {MODELS})"
    )
    parser.add_argument(
        "--raw-schema",
        help="schema of the loaded tables (default: tap_twilio_usage, else the default schema)",
    )
    parser.add_argument(
        "--notify",
        action="append",
        metavar="URL",
        help=f"Apprise URL to send alerts to; repeat it for more. It is a secret: set {NOTIFY} "
        "instead, to one or more URLs with spaces between them",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=CHECKS,
        help="check only this; repeat it for more (default: all that there are tables for)",
    )
    parser.add_argument(
        "--days",
        type=_number,
        default=7,
        help="how many days back from the newest one (default: 7)",
    )
    parser.add_argument(
        "--minimum",
        type=_number,
        default=5,
        help="smallest excess of today's costs that matters (default: 5)",
    )
    parser.add_argument(
        "--balance-days",
        type=_number,
        default=7,
        help="say so if the balance lasts for less than this (default: 7)",
    )
    parser.add_argument(
        "--exit-zero", action="store_true", help="end with 0 also if there is something"
    )
    asked, rest = parser.parse_known_args(arguments)
    if rest:  # argparse's own message would repeat them, and one may be a URL
        parser.error(f"got {len(rest)} arguments that belong to no option")
    return asked


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("is not a whole number")
    return int(text)


def _run(asked: argparse.Namespace, today: date) -> bool:
    """Print and send the alerts. Return whether there are any."""
    from tap_twilio_usage.alerts.checks import Checks, Options  # noqa: PLC0415
    from tap_twilio_usage.alerts.recipients import Recipient  # noqa: PLC0415
    from tap_twilio_usage.alerts.sent import TABLE, Sent  # noqa: PLC0415
    from tap_twilio_usage.alerts.warehouse import Warehouse  # noqa: PLC0415
    from tap_twilio_usage.report.address import address  # noqa: PLC0415
    from tap_twilio_usage.report.warehouse import connected  # noqa: PLC0415

    url = address(asked.url, os.environ)
    urls = asked.notify or os.environ.get(NOTIFY, "").split()
    recipients = [Recipient(each, number) for number, each in enumerate(urls, 1)]
    with connected(url) as connection:
        warehouse = Warehouse(connection, asked.schema, asked.raw_schema)
        options = Options(today, asked.days, asked.minimum, asked.balance_days)
        checks, optional = asked.only or CHECKS, () if asked.only else OPTIONAL
        alerts, unchecked = Checks(warehouse, options).run(checks, optional)
        schema = warehouse.schema_for(TABLE)
    for line in unchecked:
        sys.stderr.write(f"alerts: {line}\n")
    _print(alerts)
    if not recipients or not alerts:
        return bool(alerts)
    with connected(url, writes=True) as connection:
        sent = Sent(connection, schema)
        failed = [each.name for each in recipients if not _send(each, alerts, sent)]
    if failed:
        raise ReportError(
            f"{' and '.join(failed)} did not take every alert; the next run sends them again; for "
            "the reason, run apprise -vv -b test with the URL"
        )
    return True


def _print(alerts: Sequence[Alert]) -> None:
    try:
        for alert in alerts:
            sys.stdout.write(f"{alert.text}\n")
        sys.stdout.flush()
    except BrokenPipeError:  # as with head: they are sent all the same
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _send(recipient: Recipient, alerts: Sequence[Alert], sent: Sent) -> bool:
    """Send what is new to the recipient, and note what was delivered. Return whether all was."""
    new = sent.new(alerts, recipient.id)
    delivered = 0
    for part in recipient.send(new):
        sent.add(part, recipient.id)
        delivered += len(part)
    return delivered == len(new)


if __name__ == "__main__":
    main()
