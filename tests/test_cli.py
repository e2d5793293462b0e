"""The installed command: discovery, --about, --test, signals, files and the log."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tap_twilio_usage import signals
from tap_twilio_usage.singer.writer import FORCED_EXIT_AFTER
from tests.conftest import COMMAND, Run, Sync, catalog_of, clean_environment, config, discovered
from tests.http_server import Answer, Request, serve
from tests.twilio import SID, TOKEN, account, between
from tests.waiting import LONGEST, until, until_full

CATALOGS = Path(__file__).with_name("catalogs")
DAILY = "usage_records_daily"
DAYS = dict.fromkeys(between("2026-01-01", "2026-01-31"), {"calls": "1", "totalprice": "1"})
MUCH = dict.fromkeys(DAYS, {f"category-{number}": "1" for number in range(300)})  # for any pipe


def test_the_catalog_is_the_one_on_file(sync: Sync) -> None:
    """Fails when a key, type or description changes: then look, and UPDATE_CATALOGS=1."""
    streams = {stream["tap_stream_id"]: stream for stream in discovered(sync)}
    if os.environ.get("UPDATE_CATALOGS"):
        for name, stream in streams.items():
            (CATALOGS / f"{name}.json").write_text(json.dumps(stream, indent=2) + "\n")
    on_file = {path.stem: json.loads(path.read_text()) for path in CATALOGS.glob("*.json")}
    assert streams == on_file


def test_discovery_and_about_ask_nothing_and_need_no_credentials(installed_command: Sync) -> None:
    with serve(account(DAYS)) as server:
        for options in (["--discover"], ["--about"], ["--about", "--format=json"]):
            run = installed_command({"api_url": server.url}, *options)
            assert run.code == 0
            assert "WARNING" not in run.log
        assert not server.requests


def test_every_field_is_described(sync: Sync) -> None:
    for stream in discovered(sync):
        assert all(field["description"] for field in stream["schema"]["properties"].values())


def test_the_catalog_chooses_streams(sync: Sync) -> None:
    with serve(account(DAYS)) as server:
        settings = config(server.url)
        catalog = catalog_of(sync(settings, "--discover").catalog, "categories")
        run = sync(settings, catalog=catalog)
    assert run.code == 0
    assert run.schemas().keys() == {"categories"}
    assert set(server.paths()) == {"AllTime.json"}


def test_full_table_replication_ignores_the_bookmark(sync: Sync) -> None:
    with serve(account(DAYS)) as server:
        settings = config(server.url, end_date="2026-01-05", lookback_days=0)
        catalog = catalog_of(sync(settings, "--discover").catalog, DAILY)
        state = sync(settings).states[-1]
        assert len(sync(settings, state=state).records()) == 2
        for stream in catalog["streams"]:
            stream["replication_method"] = "FULL_TABLE"
        assert len(sync(settings, state=state, catalog=catalog).records()) == 10


@pytest.mark.parametrize("option", ["--test", "--test=schema"])
def test_the_connection_test_passes_with_valid_credentials(sync: Sync, option: str) -> None:
    with serve(account(DAYS)) as server:
        run = sync(config(server.url), option)
    assert run.code == 0
    assert "ERROR" not in run.log
    streams = {stream["tap_stream_id"] for stream in sync(None, "--discover").catalog["streams"]}
    assert run.schemas().keys() == streams
    assert {len(run.records(stream)) for stream in streams} == {1 if option == "--test" else 0}


def test_the_connection_test_fails_with_credentials_that_do(installed_command: Sync) -> None:
    with serve(lambda _: Answer.error(401, 20003, "Authenticate")) as server:
        run = installed_command(config(server.url), "--test")
    assert run.code == 1
    assert "Twilio refused the credentials" in run.last_line
    assert "Traceback" not in run.log


def test_batches_hold_the_flag_and_exact_decimals(sync: Sync, tmp_path: Path) -> None:
    days = {"2026-01-01": {"calls": "12345678901.000000000001", "totalprice": "1"}}
    with serve(account(days)) as server:
        batch_config = {
            "encoding": {"format": "jsonl", "compression": "gzip"},
            "storage": {"root": tmp_path.as_uri()},
        }
        run = sync(config(server.url, end_date="2026-01-01", batch_config=batch_config))
    assert run.code == 0
    (batch,) = [m for m in run.messages if m["type"] == "BATCH" and m["stream"] == DAILY]
    packed = Path(batch["manifest"][0].removeprefix("file://")).read_bytes()
    text = gzip.decompress(packed).decode()
    assert '"price":12345678901.000000000001' in text
    assert text.count('"counts_in_total":true') == 1
    assert [m["type"] for m in run.messages].index("BATCH") < len(run.messages) - 1
    assert run.bookmarks[-1] == "2026-01-01"


def test_a_day_in_a_batch_that_is_not_out_yet_moves_no_bookmark(sync: Sync, tmp_path: Path) -> None:
    def answer(request: Request) -> Answer:
        if request.query.get("EndDate", "") > "2026-01-10":
            return Answer.error(400, 20001)
        return account(DAYS)(request)

    with serve(answer) as server:
        batch_config = {
            "encoding": {"format": "jsonl", "compression": "gzip"},
            "storage": {"root": tmp_path.as_uri()},
        }
        run = sync(config(server.url, page_size=4, batch_config=batch_config))
    assert run.code == 1
    assert not [m for m in run.messages if m["type"] == "BATCH" and m["stream"] != "categories"]
    assert set(run.bookmarks) <= {None}


def start(
    folder: Path, settings: dict[str, Any], stdout: Any = subprocess.PIPE
) -> subprocess.Popen[str]:
    """Start the command; its log is to be read from the process."""
    path = folder / "config.json"
    path.write_text(json.dumps(settings))
    return subprocess.Popen(
        [COMMAND, "--config", path],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(),
    )


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_at_once_with_the_shells_code(
    tmp_path: Path, signum: int, code: int
) -> None:
    """In the middle of a request that does not answer, with others waiting behind it."""

    def answer(request: Request) -> Answer:
        if request.query.get("StartDate", "") > "2026-01-05":
            return Answer.error(429, 20429, Retry_After="60")
        return account(DAYS)(request)

    out = tmp_path / "out"
    with (
        serve(answer) as server,
        out.open("w") as stdout,
        start(tmp_path, config(server.url, page_size=4), stdout) as process,
    ):
        assert process.stderr is not None
        waits = next(line for line in process.stderr if "; try 2 after " in line)
        # The state after the last day that answers.
        until(lambda: '"replication_key_value":"2026-01-06"' in out.read_text())
        process.send_signal(signum)
        _, log = process.communicate(timeout=30)  # half of what it would wait
    assert waits
    assert process.returncode == code
    assert "Traceback" not in log
    messages: list[dict[str, Any]] = [json.loads(line) for line in out.read_text().splitlines()]
    assert messages[-1]["type"] == "STATE"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_signal_in_the_middle_of_a_line_comes_after_it(tmp_path: Path, unbuffered: str) -> None:
    """Of one that is longer than the pipe and Python's buffer: the STATE that a run begins with."""
    context = {"account_sid": SID, "includes_subaccounts": True}
    used = [f"category-{number}" for number in range(50000)]
    state = {"bookmarks": {DAILY: {"partitions": [{"context": context, "used_categories": used}]}}}
    for name, content in (("config", config("http://127.0.0.1:1")), ("state", state)):
        (tmp_path / name).write_text(json.dumps(content))
    with subprocess.Popen(
        [COMMAND, "--config", tmp_path / "config", "--state", tmp_path / "state"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**clean_environment(), "PYTHONUNBUFFERED": unbuffered},
    ) as process:
        assert process.stdout is not None
        begun = process.stdout.read(1)
        until_full(process.stdout)
        process.terminate()
        out = begun + process.stdout.read()
    assert process.returncode == 143
    assert json.loads(out)["value"] == state


def test_a_target_that_stops_reading_is_reported_in_one_line(tmp_path: Path) -> None:
    with serve(account(DAYS)) as server, start(tmp_path, config(server.url)) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        log = process.stderr.read()
    assert process.returncode == 1
    assert log.splitlines()[-1].endswith("the target stopped reading; its own log says why")
    assert "Traceback" not in log


def test_no_output_contains_a_secret_that_a_server_echoes(sync: Sync) -> None:
    for status in (301, 400, 401, 404, 200):
        echo = {"message": f"bad {TOKEN}", "auth_token": TOKEN, "code": TOKEN, "more_info": TOKEN}
        answer = Answer(json.dumps(echo).encode(), status, {"Location": f"/?{TOKEN}"})
        with serve(lambda _, answer=answer: answer) as server:  # type: ignore[misc]
            run = sync(config(server.url), env={"TAP_TWILIO_USAGE_LOGLEVEL": "DEBUG"})
        assert run.code == 1  # and `sync` has looked for the secret


# For each line that the command executes of these functions: run it in a child process that sends
# a signal to itself at that line, and print the exit code.
A_SIGNAL_IN_A_LOCK = """
import os, signal, sys, threading
from tap_twilio_usage.tap import TapTwilioUsage
from tap_twilio_usage.twilio.threads import spawn

def send(frame, event, _):
    waits = frame.f_code.co_name == "wait" and frame.f_code.co_filename == threading.__file__
    if waits and "saved_state" in frame.f_locals and "gotit" not in frame.f_locals:
        sys.settrace(None)
        os.kill(os.getpid(), signal.SIGTERM)
    return send

def start_threads(*_, **__):
    sys.settrace(send)
    for _ in range(1000):
        spawn(lambda: None)

TapTwilioUsage.print_about = start_threads
sys.setswitchinterval(10)
TapTwilioUsage.cli(["--about"])
"""


A_LATE_LINE = """
import logging, threading
from tap_twilio_usage.errors import TapError
from tap_twilio_usage.tap import TapTwilioUsage

command = TapTwilioUsage.cli  # this configures logging
handler, waits = logging.getLogger().handlers[0], threading.Event()

def fail(*_, **__):
    handler.addFilter(lambda _: waits.set() or True)
    handler.acquire()
    threading.Thread(target=TapTwilioUsage.logger.warning, args=["late"]).start()
    waits.wait()
    raise TapError("why it ends")

TapTwilioUsage.print_about = fail
try:
    command(["--about"])
except SystemExit:
    handler.release()
"""


def test_no_line_of_a_thread_that_waits_to_log_it_follows_why_a_run_ends() -> None:
    done = subprocess.run(
        [sys.executable, "-c", A_LATE_LINE], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr.splitlines()[-1].endswith("why it ends")
    assert "late" not in done.stderr


def test_a_signal_that_became_another_error_is_still_a_signal() -> None:
    done = subprocess.run(
        [sys.executable, "-c", A_SIGNAL_IN_A_LOCK],
        capture_output=True,
        text=True,
        check=False,
        env=clean_environment(),
    )
    assert (done.returncode, "stopped by signal 15" in done.stderr) == (143, True), done.stderr


def test_a_signal_that_comes_while_they_are_being_ignored_is_ignored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise a second signal could end the command between its last line and its exit code."""
    stopped: list[signals.Stopped] = []
    before = [signal.getsignal(signum) for signum in signals.SIGNALS]
    install = signal.signal

    def install_after_a_signal(signum: int, handler: Any) -> None:
        signal.raise_signal(signum)
        install(signum, handler)

    signals.handle(stopped.append)
    try:
        monkeypatch.setattr(signal, "signal", install_after_a_signal)
        signals.ignore()
    finally:
        for signum, handler in zip(signals.SIGNALS, before, strict=True):
            install(signum, handler)
    assert stopped == []


def test_a_thread_leaves_the_signals_alone() -> None:
    """Python allows only the main thread to handle them; a tap may run in another one."""
    before = signal.getsignal(signal.SIGTERM)
    with ThreadPoolExecutor() as pool:
        for change in (signals.use_default, signals.ignore, signals.handle):
            pool.submit(change).result()
    assert signal.getsignal(signal.SIGTERM) is before


def catches_sigint(process: subprocess.Popen[str], *, expected: bool) -> bool:
    status = Path(f"/proc/{process.pid}/status").read_text()
    (caught,) = re.findall(r"SigCgt:\s*(\w+)", status)
    return bool(int(caught, 16) & 1 << signal.SIGINT - 1) is expected


def has_begun(process: subprocess.Popen[str]) -> Callable[[], bool]:
    """Return whether the command does not catch it for now, which a loaded machine can miss."""
    latest = time.monotonic() + 5
    return lambda: catches_sigint(process, expected=False) or time.monotonic() > latest


@pytest.mark.parametrize(("signum", "points"), [(signal.SIGTERM, (1, 3)), (signal.SIGINT, (2, 4))])
def test_a_signal_during_startup_shows_no_traceback(
    tmp_path: Path, signum: int, points: tuple[int, ...]
) -> None:
    codes = set()
    for tenths in points:
        with start(tmp_path, config("http://127.0.0.1:1")) as process:
            until(partial(catches_sigint, process, expected=True))  # as Python does first
            until(has_begun(process))
            time.sleep(tenths / 10)
            process.send_signal(signum)
            _, log = process.communicate(timeout=LONGEST)
        codes.add(process.returncode)
        assert "Traceback" not in log
    assert codes <= {-signum, 128 + signum}


def test_a_second_signal_ends_what_a_target_that_does_not_read_holds_up(tmp_path: Path) -> None:
    """But not at once: on Ctrl-C both the terminal and Meltano send one."""
    with (
        serve(account(MUCH)) as server,
        start(tmp_path, config(server.url, skip_unused_categories=False)) as process,
    ):
        assert process.stdout is not None
        process.stdout.read(1)
        until_full(process.stdout)
        began = time.monotonic()
        while process.poll() is None:
            process.terminate()
            time.sleep(0.5)
            assert time.monotonic() - began < LONGEST
    assert process.returncode == 143
    assert time.monotonic() - began >= FORCED_EXIT_AFTER


def test_a_signal_and_a_target_that_goes_away_are_a_signal(tmp_path: Path) -> None:
    """As on Ctrl-C of a pipeline."""
    with (
        serve(account(MUCH)) as server,
        start(tmp_path, config(server.url, skip_unused_categories=False)) as process,
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        until_full(process.stdout)
        process.send_signal(signal.SIGINT)
        process.stdout.close()
        log = process.stderr.read()
    assert process.returncode == 130
    assert log.splitlines()[-1].endswith(
        "stopped by signal 2; the next run resumes from the last STATE"
    )


@pytest.mark.parametrize("options", [[], ["--discover"], ["--about"], ["--help"], ["--version"]])
def test_a_full_stdout_is_reported_in_one_line(tmp_path: Path, options: list[str]) -> None:
    path = tmp_path / "config.json"
    with serve(account(DAYS)) as server, Path("/dev/full").open("w") as full:
        path.write_text(json.dumps(config(server.url)))
        run = subprocess.run(
            [COMMAND, "--config", path, *options],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=clean_environment(),
        )
    assert run.returncode == 1
    assert "No space left on device" in run.stderr.splitlines()[-1]
    assert "Traceback" not in run.stderr


def test_a_closed_stdout_is_reported_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config("http://127.0.0.1:1")))
    run = subprocess.run(
        ["bash", "-c", f"{COMMAND} --config {path} >&-"],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env=clean_environment(),
    )
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert "stdout is closed; redirect it to a target or a file" in run.stderr


def test_a_config_can_come_through_a_pipe() -> None:
    """So that secrets need not be on the disk."""
    with serve(account(DAYS)) as server:
        run = subprocess.run(
            [COMMAND, "--config", "/dev/stdin"],
            input=json.dumps(config(server.url)),
            capture_output=True,
            text=True,
            check=False,
            env=clean_environment(),
        )
    assert run.returncode == 0
    assert '"type":"RECORD"' in run.stdout


@pytest.mark.parametrize(
    "env",
    [{"TAP_TWILIO_USAGE_LOGLEVEL": "loud"}, {"SINGER_SDK_LOG_CONFIG": "/dev/null"}],
    ids=["level", "file"],
)
def test_a_log_that_cannot_be_set_up_is_one_line(
    installed_command: Sync, env: dict[str, str]
) -> None:
    run = installed_command(None, "--about", env=env)
    assert run.code == 1
    assert run.log.count("\n") == 1
    assert run.log.startswith("logging cannot be configured: ")


def test_a_log_that_cannot_be_written_shows_no_secret(
    installed_command: Sync, tmp_path: Path
) -> None:
    (tmp_path / "log.yml").write_text(
        "version: 1\n"
        "handlers: {full: {class: logging.FileHandler, filename: /dev/full}}\n"
        "root: {level: DEBUG, handlers: [full]}\n"
    )
    with serve(account(DAYS)) as server:
        env = {"SINGER_SDK_LOG_CONFIG": str(tmp_path / "log.yml")}
        run = installed_command(config(server.url), env=env)
    assert run.code == 0
    assert "Arguments" not in run.log


OTHERS_AT_WORK = """
import atexit, logging, threading, time
from tap_twilio_usage.tap import TapTwilioUsage

at_work = threading.Event()

def work():
    while True:
        logging.getLogger("tap-twilio-usage").warning("still at work")
        at_work.set()
        time.sleep(0.0005)

threading.Thread(target=work, daemon=True).start()
atexit.register(time.sleep, 0.1)
at_work.wait()
TapTwilioUsage.cli()
"""


def test_the_last_line_is_the_reason_even_if_other_threads_log() -> None:
    command = [sys.executable, "-c", OTHERS_AT_WORK, "--config=none.json"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=clean_environment()
    )
    assert done.returncode == 1
    assert "still at work" in done.stderr
    assert done.stderr.splitlines()[-1].endswith(
        "--config: none.json cannot be read: No such file or directory"
    )


def test_a_forked_run_is_one_of_the_installed_command(sync: Sync, installed_command: Sync) -> None:
    """So most tests need not start it."""

    differs = (
        r'"(time_extracted|as_of|value)":("[^"]*"|[\d.e-]+)|"pid":\d+'  # of records and metrics
        r"|\d\d:\d\d:\d\d,\d+|in \d+ s"
    )

    def told(run: Run) -> tuple[int, str, str]:
        return run.code, re.sub(differs, "", run.out), re.sub(differs, "", run.log)

    with serve(account(DAYS)) as server:
        for settings, *options in (
            (config(server.url),),
            (None, "--about"),
            (config(server.url), "--discover"),
            (config(server.url, start_date="2026-13-01"),),
        ):
            one, other = (each(settings, *options) for each in (sync, installed_command))
            assert told(one) == told(other)
