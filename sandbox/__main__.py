"""The sandbox from the command line: `python -m sandbox serve`, `start`, `stop` and others."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

from sandbox.billing_form import BillingForm, read_form
from sandbox.company import Company, connections
from sandbox.faults import AtRandom
from sandbox.invoice import invoice
from sandbox.server import HOST, SERVER_NAME, Server

_HOME = Path(".sandbox")
_ROOT = Path(__file__).parent.parent
_PATIENCE = 20.0


class Failure(Exception):
    """An error that is reported to the user in one line."""


def main(arguments: list[str] | None = None) -> int:
    """Run a command. The exit code is 1 after a failure, which is reported in one line."""
    words = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(words)
    options.words = words[1:]
    try:
        commands = {
            "serve": _serve,
            "start": _start,
            "stop": _stop,
            "invoice": _invoice,
            "demo": _demo,
            "connections": _connections,
        }
        commands[options.command](options)
    except (Failure, OSError) as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text, idle in (
        ("serve", "serve until interrupted", 0.0),
        ("start", "serve in the background", 10.0),
    ):
        command = commands.add_parser(name, help=text)
        _add_world(command)
        _add_server(command)
        command.add_argument(
            "--idle-minutes",
            type=float,
            default=idle,
            help="stop after this time without a request; 0: never",
        )
    stop = commands.add_parser("stop", help="stop the server that `start` runs in the background")
    stop.add_argument("--port", type=int, default=8765)
    invoice = commands.add_parser("invoice", help="write the invoice of a month, as Twilio's CSV")
    _add_world(invoice)
    invoice.add_argument("--month", type=_month, required=True, metavar="YYYY-MM")
    invoice.add_argument("--folder", type=Path, default=Path(), help="where to write the file")
    demo = commands.add_parser("demo", help="write the seeds of the demo, and last month's invoice")
    _add_world(demo)
    demo.add_argument("folder", type=Path, help="where to write the files")
    connections = commands.add_parser(
        "connections", help="write the tap's setting `connections`, with Restricted API keys"
    )
    _add_world(connections)
    return parser


def _month(text: str) -> date:
    return date.fromisoformat(f"{text}-01")


def _late_fee(text: str) -> tuple[date, Decimal]:
    month, _, amount = text.partition("=")
    try:
        return _month(month), Decimal(amount)
    except ArithmeticError:
        raise ValueError from None


def _add_world(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--seed", type=int, default=1)
    add("--since", type=date.fromisoformat, default=date(2025, 1, 1))
    add(
        "--today",
        type=date.fromisoformat,
        help="the last day with usage; by default the current day, GMT",
    )
    add("--subaccounts", type=int, default=3)
    add("--companies", type=int, default=1, help="main accounts, each with its subaccounts")
    add(
        "--categories",
        type=int,
        default=290,
        help="approximate number of rows for each day; most are zero",
    )
    add("--new-category-from", type=date.fromisoformat, default=date(2025, 9, 15))
    add(
        "--leaked-key-days-ago",
        type=int,
        default=0,
        help="how long ago somebody used the key of the first subaccount; 0: never",
    )
    add(
        "--late-fee",
        type=_late_fee,
        action="append",
        default=[],
        metavar="YYYY-MM=AMOUNT",
        help="a charge of a month that is in none of its days; can be repeated",
    )


def _add_server(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--port", type=int, default=8765)
    add("--latency-ms", type=Decimal, default=Decimal(0))
    add("--max-concurrent", type=int, default=0, help="concurrent requests before 429; 0: no limit")
    add("--retry-after", help="value of the Retry-After header of a 429")
    add("--fault-rate", type=float, default=0.0, help="share of answers that are faults, 0 to 1")
    add("--order", choices=("newest", "oldest"), default="newest")
    add(
        "--billing",
        type=read_form,
        default=BillingForm(),
        metavar="NAME=VALUE,...",
        help="the form of billing groups' requests: parameters=json|form|query, "
        "next_page=body|query|get, max_page_size (0: made smaller), refusal (status; 0: ignored), "
        "array, status",
    )


def _serve(options: argparse.Namespace) -> None:
    company = _company(options)
    server = Server(
        company,
        others=[_company(options, number) for number in range(2, options.companies + 1)],
        port=options.port,
        latency=float(options.latency_ms) / 1000,
        max_concurrent=options.max_concurrent,
        retry_after=options.retry_after,
        order=options.order,
        billing=options.billing,
        plan=AtRandom(options.fault_rate, options.seed),
    )
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        server.start()
    except OSError as error:
        message = f"port {options.port}: {error.strerror}"
        raise Failure(message) from None
    _say(server.url)
    idle = options.idle_minutes * 60
    while not ended.wait(1.0):
        if idle and time.monotonic() - server.last_used > idle:
            break
    server.stop()


def _company(options: argparse.Namespace, number: int = 1) -> Company:
    return Company(
        number=number,
        seed=options.seed,
        since=options.since,
        today=options.today,
        subaccounts=options.subaccounts,
        categories=options.categories,
        new_category_from=options.new_category_from,
        late_fees=dict(options.late_fee),
        leaked_key_on=_days_ago(options) if options.leaked_key_days_ago else None,
    )


def _days_ago(options: argparse.Namespace) -> date:
    return (options.today or datetime.now(timezone.utc).date()) - timedelta(
        days=options.leaked_key_days_ago
    )


def _invoice(options: argparse.Namespace) -> None:
    _write_invoice(_company(options), options.month, options.folder)


def _write_invoice(company: Company, month: date, folder: Path) -> None:
    try:
        written = invoice(company, month)
    except ValueError as error:
        raise Failure(error) from None
    path = folder / written.file_name
    path.write_text(written.csv(), encoding="utf-8", newline="")
    _say(f"{path}")


def _demo(options: argparse.Namespace) -> None:
    company = _company(options)
    seeds = options.folder / "seeds"
    for examples in ("dbt", "sandbox"):
        shutil.copytree(_ROOT / examples / "seeds", seeds, dirs_exist_ok=True)
    last_month = (company.last_day().replace(day=1) - timedelta(days=1)).replace(day=1)
    invoices = options.folder / "invoices"
    invoices.mkdir(exist_ok=True)
    for old in invoices.glob("*.csv"):
        old.unlink()
    _write_invoice(company, last_month, invoices)


def _connections(options: argparse.Namespace) -> None:
    companies = [_company(options, number) for number in range(1, options.companies + 1)]
    _say(json.dumps(connections(companies)))


def _start(options: argparse.Namespace) -> None:
    url = f"http://{HOST}:{options.port}"
    if _listens(options.port):
        if _sandbox_pid(options.port) is None:
            message = f"port {options.port} is taken by something else"
            raise Failure(message)
        _say(f"{url} (already running)")
        return
    _HOME.mkdir(exist_ok=True)
    (_HOME / ".gitignore").write_text("*\n", encoding="utf-8")
    process = _spawn(options)
    deadline = time.monotonic() + _PATIENCE
    while _sandbox_pid(options.port) != process.pid:
        if process.poll() is not None or time.monotonic() > deadline:
            process.terminate()
            message = f"the server did not start; see {_log_file(options.port)}"
            raise Failure(message)
        time.sleep(0.05)
    _pid_file(options.port).write_text(f"{process.pid}\n", encoding="utf-8")
    # The server keeps running. Without a return code, Popen would warn about it when deleted.
    process.returncode = 0
    _say(url)


def _spawn(options: argparse.Namespace) -> subprocess.Popen[bytes]:
    # Run `serve` with the arguments of `start`, detached from the terminal.
    words = ["serve", "--idle-minutes", str(options.idle_minutes), *options.words]
    root = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    with _log_file(options.port).open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - the arguments of our own command line
            [sys.executable, "-m", "sandbox", *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )


def _stop(options: argparse.Namespace) -> None:
    file = _pid_file(options.port)
    if not file.exists():
        return
    pid = int(file.read_text(encoding="utf-8"))
    # Another process may have this ID by now, so the server itself has to confirm it.
    if _sandbox_pid(options.port) == pid:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _PATIENCE
        while _listens(options.port):
            if time.monotonic() > deadline:
                message = f"process {pid} does not stop"
                raise Failure(message)
            time.sleep(0.05)
    file.unlink(missing_ok=True)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _pid_file(port: int) -> Path:
    return _HOME / f"{port}.pid"


def _log_file(port: int) -> Path:
    return _HOME / f"{port}.log"


def _listens(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.connect()
    except OSError:
        return False
    connection.close()
    return True


def _sandbox_pid(port: int) -> int | None:
    """Return the process ID that a sandbox on this port reports; None if there is no sandbox."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/")
            server = connection.getresponse().getheader("Server", "")
        except (OSError, http.client.HTTPException):
            return None
    name, _, pid = server.strip().partition("/")
    return int(pid) if name == SERVER_NAME and pid.isdecimal() else None


if __name__ == "__main__":
    sys.exit(main())
