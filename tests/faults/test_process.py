"""Cases 34, 40 and 43: nothing left, errors outside of the main thread, signals at the end."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sandbox import AUTH_TOKEN, Reply, Request, Server
from tests.canary import leaks
from tests.conftest import COMMAND, Run, Sync, clean_environment, command_in, config, nightly_except
from tests.faults.conftest import Fault, Lab, catalog, is_of, of_streams
from tests.http_server import serve
from tests.twilio import TOKEN, account

DAYS = {"2026-01-01": {"calls": "1", "totalprice": "1"}}
STREAM = "usage_records_daily"
LARGE = 28 * 2**20  # bytes


def script(folder: Path, interpreter: str, text: str) -> Sync:
    """Return what runs the script in place of the command, with the command's arguments."""
    path = folder / "command"
    path.write_text(f"#!{interpreter}\n{text}")
    path.chmod(0o755)
    return command_in(folder, path)


# 34: a machine without anything left.


def loaded(lab: Lab, sync: Sync, *, plan: Any = lambda _: None, **settings: Any) -> Run:
    """Return a run of a command that ends in one line, and whose STATE is one to go on from."""
    with Server(lab.company, plan=plan) as server:
        run = sync(lab.settings(server.url, **settings), catalog=catalog(STREAM))
    assert run.code == 1
    assert "Traceback" not in run.log
    assert " | ERROR " in run.last_line
    assert run.log.count(" | ERROR ") == 1
    assert leaks(run.log + run.out, (AUTH_TOKEN,)) == []
    return run


# Limits the memory to what the tap has after its imports, and some more.
LIMITED = """
import re, resource, sys
from pathlib import Path
from tap_twilio_usage.__main__ import main
from tap_twilio_usage.tap import TapTwilioUsage

size = int(re.search(r"VmSize:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (size + LEFT, size + LEFT))
main()
"""


def limited(folder: Path, left: int) -> Sync:
    return script(folder, sys.executable, LIMITED.replace("LEFT", str(left)))


def test_no_thread_left_is_one_line(lab: Lab, healthy: Run, tmp_path: Path) -> None:
    """For root there is no limit of processes. But a thread needs memory for its stack."""
    run = loaded(lab, limited(tmp_path, 2**21))
    assert "no thread can be started; raise the limit of processes (ulimit -u)" in run.last_line
    assert lab.resumed(run, STREAM) == of_streams(healthy, STREAM)


def larger_after(days: int) -> Any:
    left = [days]

    def large(reply: Reply) -> Reply:
        return reply._replace(content=reply.content + b" " * LARGE)

    def plan(request: Request) -> Fault | None:
        left[0] -= is_of(STREAM, request)
        return large if left[0] < 0 else None

    return plan


def test_no_memory_left_is_one_line(lab: Lab, healthy: Run, tmp_path: Path) -> None:
    sync = limited(tmp_path, 2 * LARGE)
    few = {"page_size": 50, "max_concurrent_requests": 1}
    run = loaded(lab, sync, plan=larger_after(10), **few)
    assert "no memory is left; raise its limit, or lower max_concurrent_requests" in run.last_line
    assert run.states
    whole, resumed = of_streams(healthy, STREAM), lab.resumed(run, STREAM)
    assert whole.items() <= resumed.items()
    assert {row["price"] for key, row in resumed.items() if key not in whole} <= {0}


def test_no_file_left_is_one_line(lab: Lab, healthy: Run, tmp_path: Path) -> None:
    sync = script(tmp_path, "/bin/sh", f'ulimit -n 8\nexec {shlex.quote(str(COMMAND))} "$@"\n')
    run = loaded(lab, sync, page_size=20, max_concurrent_requests=16)
    assert run.last_line.endswith(
        "no further connection can be opened: the process has too many open files; raise the limit "
        "(ulimit -n)"
    )
    assert "; try 2" not in run.log
    assert lab.resumed(run, STREAM) == of_streams(healthy, STREAM)


@pytest.mark.parametrize("error", ["MemoryError()", "OSError(24, 'Too many open files')"])
def test_what_is_missing_at_the_start_is_one_line(tmp_path: Path, error: str) -> None:
    text = (
        "import sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == 'singer_sdk': raise {error}\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from tap_twilio_usage.__main__ import main\n"
        "main()\n"
    )
    run = script(tmp_path, sys.executable, text)(None, "--about")
    assert run.code == 1
    assert run.log.count("\n") == 1
    assert run.log.startswith(f"the tap cannot be started: {error.partition('(')[0]}(")


# 40: errors that end nothing, whose tracebacks Python itself would print.

IGNORED = """
import sys, threading
from tap_twilio_usage.tap import TapTwilioUsage
from tap_twilio_usage.twilio.usage_records import Account

class Unlucky:
    def __init__(self, secret):
        self.secret = secret

    def __del__(self):
        raise RuntimeError(f"in __del__: {self.secret}")

def late(secret):
    threading.main_thread().join()
    raise RuntimeError(f"at exit: {secret}")

def work(secret):
    raise RuntimeError(f"on a thread: {secret}")

fetch_usage = Account.fetch_usage

def fetch(self, *given):
    global kept
    secret = self._client._credentials.sign().password
    Unlucky(secret)
    thread = threading.Thread(target=work, args=[secret])
    thread.start()
    thread.join()
    kept = Unlucky(secret)
    threading.Thread(target=late, args=[secret]).start()
    return fetch_usage(self, *given)

Account.fetch_usage = fetch
TapTwilioUsage.cli()
"""


@pytest.mark.parametrize("level", nightly_except({"DEBUG"}, ["INFO", "DEBUG"]))
def test_an_error_that_ends_nothing_shows_no_secret(tmp_path: Path, level: str) -> None:
    sync = script(tmp_path, sys.executable, IGNORED)
    with serve(account(DAYS)) as server:
        run = sync(
            config(server.url, end_date="2026-01-01"), env={"TAP_TWILIO_USAGE_LOGLEVEL": level}
        )
    assert run.code == 0
    assert leaks(run.log + run.out, (TOKEN,)) == []
    assert "RuntimeError: in __del__: ***" in run.log
    assert "RuntimeError: on a thread: ***" in run.log


# 43: signals while the command ends.

A_SIGNAL_AT_EACH_LINE = """
import os, sys
from pathlib import Path
from tap_twilio_usage import cli, signals
from tap_twilio_usage.tap import TapTwilioUsage

folder, signum, arguments = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
FUNCTIONS = {"main", "handle", "ignore", "_install", "_fail", "_log_last"}
NOT_SENT = 200
OURS = {cli.__file__, signals.__file__}

def send_at(number):
    lines = 0

    def trace(frame, event, _):
        nonlocal lines
        if frame.f_code.co_filename not in OURS:
            return None
        if event == "line" and frame.f_code.co_name in FUNCTIONS:
            lines += 1
            if lines == number:
                os.kill(os.getpid(), signum)
        return trace

    sys.settrace(trace)
    return lambda: lines >= number

for number in range(1, 1000):
    pid = os.fork()
    if not pid:
        os.dup2(os.open(folder / f"{number}", os.O_CREAT | os.O_WRONLY), 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.argv[1:] = arguments
        command = TapTwilioUsage.cli
        signals.use_default()
        sent = send_at(number)
        try:
            command()
        except SystemExit as ended:
            sys.settrace(None)
            os._exit(ended.code if sent() else NOT_SENT)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print(number, code)
    if code == NOT_SENT:
        break
"""


@pytest.mark.parametrize(
    "signum", nightly_except({signal.SIGTERM}, [signal.SIGTERM, signal.SIGINT])
)
@pytest.mark.parametrize(
    ("option", "last"),
    [("--config=none.json", "--config: none.json cannot be read"), ("--about", None)],
    ids=["a run that fails", "a run that succeeds"],
)
def test_the_last_line_and_the_exit_code_agree_at_any_signal(
    tmp_path: Path, option: str, last: str | None, signum: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", A_SIGNAL_AT_EACH_LINE, str(tmp_path), f"{signum:d}", option],
        capture_output=True,
        text=True,
        check=True,
        env=clean_environment(),
    )
    *codes, (_, not_sent) = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    assert not_sent == 200
    normal, stopped = 1 if last else 0, 128 + signum
    for number, code in codes:
        log = (tmp_path / f"{number}").read_text()
        line = log.splitlines()[-1] if log else ""
        if code == stopped:
            assert f"stopped by signal {signum:d}; " in line, (number, log)
        elif code == normal:
            assert "stopped" not in log, (number, log)
            assert last is None or last in line, (number, log)
        else:
            assert (code, log) == (-signum, ""), number  # before there is a handler
    assert {code for _, code in codes} == {-signum, stopped, normal}
