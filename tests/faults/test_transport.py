"""Cases 1 to 9: faults between Twilio and the tap."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from itertools import chain, cycle
from typing import Any

import pytest
import trustme

from sandbox import FAULTS, Reply, Request, Server
from sandbox.faults import error
from tests.conftest import Run, nightly, nightly_except
from tests.faults.conftest import (
    BILLING,
    DATED_BY_DAY,
    SPEED,
    STREAMS,
    TYPICAL,
    TYPICAL_BY_DAY,
    Fault,
    Lab,
    Plan,
    at_first,
    is_of,
    of,
    of_streams,
    spread,
    table,
)
from tests.forked import Overrides
from tests.http_server import Answer, serve


def too_many(retry_after: str) -> Fault:
    return error(429, 20429, "Too Many Requests", **{"Retry-After": retry_after})


def silent(reply: Reply) -> Reply:
    return reply._replace(content=b" " * 100, pause=20)


def dripping(reply: Reply) -> Reply:
    return reply._replace(pause=0.05)


# 1 to 6: temporary faults.


BURSTS = (  # one after the other
    ("500", "502 with a page", "503", "reset", "504 with a page"),
    ("429 with seconds", "closed", "broken gzip", "a page", "nothing"),
    ("429 with garbage", "half of the JSON", "reset in the body", "closed in the body"),
)


@pytest.mark.parametrize("fault", nightly_except(FAULTS.keys() - {*chain(*BURSTS)}, FAULTS))
def test_a_temporary_fault_loses_no_row_of_any_stream(lab: Lab, healthy: Run, fault: str) -> None:
    """The first try of every request fails."""
    with Server(lab.company, plan=at_first(FAULTS[fault])) as server:
        run = lab.run(server.url)
    assert run.code == 0
    assert table(run) == table(healthy)
    assert run.states[-1] == healthy.states[-1]
    assert len(re.findall(r"; try 2 after \d", run.log)) == len(server.faulty) > len(STREAMS)


@pytest.mark.parametrize("burst", BURSTS, ids=" then ".join)
def test_a_burst_of_faults_loses_no_row_of_any_stream(
    lab: Lab, healthy: Run, burst: tuple[str, ...]
) -> None:
    run = lab.with_faults(at_first(*(FAULTS[name] for name in burst)))
    assert run.code == 0
    assert table(run) == table(healthy)
    assert run.states[-1] == healthy.states[-1]


@pytest.mark.parametrize("fault", nightly_except({"429"}, ["429", "429 with garbage", "500"]))
def test_waits_double_and_have_jitter(lab: Lab, fault: str) -> None:
    run = lab.with_faults(at_first(*[FAULTS[fault]] * 7), overrides=Overrides(5000))
    waits = re.findall(r"; try (\d) after ([\d.]+) s", run.log)
    assert run.code == 0
    for number in range(2, 9):
        least = min(2.0 ** (number - 2), 60)
        waited = {float(seconds) for of, seconds in waits if of == f"{number}"}
        assert least <= min(waited) < max(waited) <= least * 1.25 + 0.1


def date_in_three_seconds() -> str:
    """Return an HTTP date; it has no fractions of a second."""
    moment = datetime.now(timezone.utc) + timedelta(seconds=4)
    return format_datetime(moment, usegmt=True)


@pytest.mark.parametrize("retry_after", [nightly(lambda: "3"), date_in_three_seconds])
def test_the_tap_waits_for_retry_after(lab: Lab, retry_after: Callable[[], str]) -> None:
    """The wait is measured with a real clock, and is longer than that of the tap's own backoff."""
    asked: list[float] = []

    def plan(_: object) -> Fault | None:
        asked.append(time.monotonic())
        return too_many(retry_after()) if len(asked) == 1 else None

    run = lab.with_faults(plan, "accounts", overrides=Overrides())
    assert run.code == 0
    assert 3 <= asked[1] - asked[0] < 4 * 1.25 + 10


# 2 to 6: lasting faults.


@pytest.mark.parametrize(
    ("stream", "asked"),
    [
        (stream, asked) if stream in TYPICAL else nightly(stream, asked)
        for stream, asked in zip(
            STREAMS, cycle(["86400", "Fri, 31 Dec 2100 23:59:59 GMT"]), strict=False
        )
    ],
)
def test_a_retry_after_over_the_maximum_is_an_error(lab: Lab, stream: str, asked: str) -> None:
    run = lab.with_faults(of(stream, too_many(asked)), stream)
    assert run.code == 1
    assert re.search(
        r"Twilio asks for a wait of \d+ s \(Retry-After\), more than the tap's maximum of 300 s; "
        "run again later",
        run.last_line,
    )
    assert "; try 2" not in run.log


LASTING = {
    "500": "Twilio answered 500: code 20500, Internal Server Error",
    "502 with a page": "Twilio answered 502;",
    "reset": "connection failed: Connection reset by peer;",
    "closed in the body": "connection failed: IncompleteRead;",
    "broken gzip": "connection failed: ContentDecodingError;",
    "half of the JSON": "Twilio answered 200, but the body ('application/json;charset=utf-8', ",
    "a page": "Twilio answered 200, but the body ('text/html', 108,041 bytes) is not JSON;",
    "nothing": "body ('application/json;charset=utf-8', 0 bytes) is not JSON;",
}


@pytest.mark.parametrize(("stream", "fault"), spread(STREAMS, LASTING))
def test_a_lasting_fault_ends_in_one_line(lab: Lab, stream: str, fault: str) -> None:
    run = lab.with_faults(of(stream, FAULTS[fault]), stream)
    assert run.code == 1
    assert f" {stream}: " in run.last_line
    assert LASTING[fault] in run.last_line
    assert run.last_line.endswith("; gave up after 8 tries")
    assert table(run, stream) == {}


def test_long_text_of_a_server_is_truncated(lab: Lab) -> None:
    """`Lab.run` checks the length of every line."""
    fault = error(500, 20500, "Internal Server Error " * 5000)
    run = lab.with_faults(of("usage_records_daily", fault), "usage_records_daily")
    assert run.code == 1
    assert "code 20500, Internal Server Error " in run.last_line


@pytest.mark.parametrize("stream", DATED_BY_DAY)
def test_a_fault_during_a_run_leaves_complete_periods(lab: Lab, healthy: Run, stream: str) -> None:
    """The bookmark is not after the data, and the next run resumes from it."""
    fault = of(stream, FAULTS["503"], after=4 if stream.endswith("daily") else 1)
    run = lab.with_faults(fault, stream, page_size=50, max_concurrent_requests=1)
    whole = of_streams(healthy, stream)
    assert run.code == 1
    assert table(run).items() <= whole.items()
    assert len(table(run)) < len(whole)
    assert lab.resumed(run, stream) == whole


def test_a_failing_token_is_requested_only_once_by_parallel_requests(lab: Lab) -> None:
    with Server(lab.company, plan=lambda _: FAULTS["503"]) as server:
        run = lab.run(server.url, *BILLING, start_date="2024-01-01", max_concurrent_requests=16)
    assert run.code == 1
    assert len(server.requests) == 8


# 4, 7 and 8: no connection.


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.mark.parametrize("stream", TYPICAL_BY_DAY)
def test_a_refused_connection_is_an_error(lab: Lab, stream: str) -> None:
    run = lab.run(f"http://127.0.0.1:{free_port()}", stream)
    assert run.code == 1
    assert run.log.count("connection failed: Connection refused; try ") >= 7
    assert run.last_line.endswith("connection failed: Connection refused; gave up after 8 tries")


@pytest.mark.parametrize("stream", TYPICAL_BY_DAY)
def test_an_unknown_host_is_an_error(lab: Lab, stream: str) -> None:
    run = lab.run("https://twilio.invalid", stream)
    assert run.code == 1
    assert re.search(r"connection failed: .+; gave up after 8 tries$", run.last_line)


def test_an_outage_that_ends_loses_no_row(lab: Lab, healthy: Run) -> None:
    port = free_port()
    server = Server(lab.company, port)
    later = threading.Timer(2.0, server.start)
    later.start()
    try:
        run = lab.run(f"http://127.0.0.1:{port}", overrides=Overrides(4))
    finally:
        later.join()
        server.stop()
    assert run.code == 0
    assert "connection failed: Connection refused; try " in run.log
    assert table(run) == table(healthy)


@contextmanager
def full_backlog() -> Iterator[str]:
    """Yield the URL of a server whose backlog is full, so that the kernel accepts no connection."""
    with socket.socket() as server, contextlib.ExitStack() as others:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(3):
            other = others.enter_context(socket.socket())
            other.settimeout(0)
            other.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


IN_A_MOMENT = Overrides(
    SPEED, {"connect_timeout": 0.3, "read_timeout": 0.3, "deadline": 5, "tries": 3}
)
CUT_SHORT = Overrides(SPEED, {"connect_timeout": 5, "read_timeout": 5, "deadline": 0.5, "tries": 3})


@pytest.mark.parametrize("stream", TYPICAL_BY_DAY)
def test_a_connection_that_is_not_accepted_times_out(lab: Lab, stream: str) -> None:
    with full_backlog() as url:
        run = lab.run(url, stream, overrides=IN_A_MOMENT)
    assert run.code == 1
    assert run.last_line.endswith("no connection within 0.3 s; gave up after 3 tries")


@pytest.mark.parametrize("stream", sorted(TYPICAL))
def test_a_server_that_sends_nothing_times_out(lab: Lab, stream: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        run = lab.run(f"http://127.0.0.1:{server.getsockname()[1]}", stream, overrides=IN_A_MOMENT)
    assert run.code == 1
    assert run.last_line.endswith("no data for 0.3 s; gave up after 3 tries")


@pytest.mark.parametrize("stream", TYPICAL_BY_DAY)
def test_a_server_that_stops_sending_times_out(lab: Lab, stream: str) -> None:
    run = lab.with_faults(of(stream, silent), stream, overrides=IN_A_MOMENT)
    assert run.code == 1
    assert run.last_line.endswith("; gave up after 3 tries")
    assert (
        "no complete response" not in run.log
    )  # a single read takes too long, not the whole response
    assert table(run, stream) == {}


@pytest.mark.parametrize("stream", TYPICAL_BY_DAY)
def test_a_response_that_is_sent_too_slowly_times_out(lab: Lab, stream: str) -> None:
    """The server sends a byte every 50 ms, so that no single read takes too long."""
    run = lab.with_faults(of(stream, dripping), stream, overrides=CUT_SHORT)
    assert run.code == 1
    assert run.last_line.endswith("no complete response within 0.5 s; gave up after 3 tries")
    assert table(run, stream) == {}


@pytest.mark.nightly
def test_a_timeout_that_does_not_recur_loses_no_row(lab: Lab, healthy: Run) -> None:
    run = lab.with_faults(
        once_of_each_stream(silent),
        overrides=Overrides(SPEED, {"connect_timeout": 3, "read_timeout": 0.7}),
    )
    assert run.code == 0
    assert run.log.count("; try 2 after ") >= len(STREAMS) - 1  # two streams make the same request
    assert table(run) == table(healthy)


def once_of_each_stream(fault: Fault) -> Plan:
    left = set(STREAMS)

    def plan(request: Request) -> Fault | None:
        streams = {stream for stream in left if is_of(stream, request)}
        left.difference_update(streams)
        return fault if streams else None

    return plan


@pytest.mark.parametrize("stream", TYPICAL_BY_DAY)
def test_an_invalid_certificate_is_an_error_at_once(lab: Lab, stream: str) -> None:
    with serve(lambda _: Answer.json({})) as server:
        certificate = trustme.CA().issue_cert("localhost")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        run = lab.run(f"https://localhost:{server.server_port}", stream)
    assert run.code == 1
    assert "the TLS certificate of " in run.last_line
    assert "could not be verified; behind a proxy with a certificate" in run.last_line
    assert "; try 2" not in run.log
    assert server.requests == []


@pytest.mark.parametrize("setting", ["api_url", "billing_api_url", "oauth_token_url"])
def test_plain_http_is_refused_except_on_loopback(lab: Lab, setting: str) -> None:
    wrong: dict[str, Any] = {setting: "http://api.twilio.com"}
    run = lab.run("http://127.0.0.1:1", **wrong)
    assert run.code == 1
    assert f"{setting}: must use https, because each request contains credentials" in run.last_line
    assert run.out == ""


# 9: redirects.


@pytest.mark.parametrize(
    ("stream", "status"),
    [
        *((stream, 302) if stream in TYPICAL else nightly(stream, 302) for stream in STREAMS),
        *(("accounts", n) for n in (301, 303, 307, 308)),
    ],
)
def test_a_redirect_is_not_followed(lab: Lab, stream: str, status: int) -> None:
    with serve(lambda _: Answer.json({})) as elsewhere:
        to = elsewhere.url + "/2010-04-01/Accounts.json"
        run = lab.with_faults(of(stream, redirect(status, to)), stream)
    assert run.code == 1
    assert f"answered with a redirect ({status}), not followed; check " in run.last_line
    assert elsewhere.requests == []
    assert "; try 2" not in run.log


def redirect(status: int, to: str) -> Fault:
    return lambda _: Reply(status, {"Location": to}, b"")
