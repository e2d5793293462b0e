"""Requests, retries and checks of responses, against a server that misbehaves as each test says."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
import trustme

from tap_twilio_usage.twilio.errors import ApiError, Denied, NotFound
from tests.clients import FAST, client
from tests.http_server import Answer, Request, serve
from tests.twilio import TOKEN

GOOD = Answer.json({"rows": [], "next_page_uri": None})


def then_good(*answers: Answer) -> Callable[[Request], Answer]:
    """Answer with these, one per request, and with GOOD from then on."""
    left: Iterator[Answer] = iter(answers)
    return lambda _: next(left, GOOD)


TRANSIENT = {
    "429 without Retry-After": Answer.error(429, 20429, "Too Many Requests"),
    "429 with an invalid Retry-After": Answer.error(429, 20429, Retry_After="soon"),
    "500 with code 20500": Answer.error(500, 20500, "Internal Server Error"),
    "503 with 100 kB of HTML": Answer(b"<html>" + b"x" * 100_000, 503),
    "200 with truncated JSON": Answer(b'{"rows": [', headers={"Content-Type": "application/json"}),
    "200 with HTML": Answer(b"<html></html>", headers={"Content-Type": "text/html"}),
    "200 with an empty body": Answer(b""),
    "200 with too deep nesting": Answer(b"[" * 100_000),
    "a truncated body": Answer(b'{"rows": []}', length=500),
    "invalid gzip": Answer(b"no gzip", headers={"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("fault", TRANSIENT.values(), ids=TRANSIENT.keys())
def test_a_transient_failure_is_retried(fault: Answer, caplog: pytest.LogCaptureFixture) -> None:
    with serve(then_good(fault, fault)) as server:
        assert client(server.url).get("/x") == {"rows": [], "next_page_uri": None}
        assert len(server.requests) == 3
    assert [len(line) < 400 for line in caplog.messages] == [True, True]


@pytest.mark.parametrize("fault", TRANSIENT.values(), ids=TRANSIENT.keys())
def test_a_failure_that_lasts_ends_in_an_error(fault: Answer) -> None:
    with serve(lambda _: fault) as server, pytest.raises(ApiError, match="gave up after 8 tries"):
        client(server.url).get("/x")


def test_a_refused_connection_is_retried_and_then_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
    with pytest.raises(ApiError, match=r"connection failed: Connection refused; gave up"):
        client(url).get("/x")


def test_the_client_waits_for_retry_after_in_seconds() -> None:
    with serve(then_good(Answer.error(429, 20429, Retry_After="1"))) as server:
        began = time.monotonic()
        client(server.url).get("/x")
        assert time.monotonic() - began >= 1


def test_the_client_waits_for_retry_after_as_a_date() -> None:
    later = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(seconds=3)
    date = format_datetime(later, usegmt=True)
    with serve(then_good(Answer.error(429, 20429, Retry_After=date))) as server:
        client(server.url).get("/x")
        assert datetime.now(timezone.utc) >= later


@pytest.mark.parametrize("text", ["86400", "Fri, 31 Dec 2100 23:59:59 GMT"])
def test_a_retry_after_over_the_maximum_is_an_error_at_once(text: str) -> None:
    with serve(lambda _: Answer.error(429, 20429, Retry_After=text)) as server:
        with pytest.raises(ApiError, match=r"a wait of \d+ s .*maximum of 300 s"):
            client(server.url).get("/x")
        assert len(server.requests) == 1


def test_a_silent_server_is_retried_after_the_read_timeout() -> None:
    limits = replace(FAST, connect_timeout=1, read_timeout=0.05, tries=3)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(ApiError, match=r"no data for 0.05 s; gave up after 3 tries"),
    ):
        client(f"http://127.0.0.1:{silent.getsockname()[1]}", limits=limits).get("/x")


def test_a_response_of_a_byte_at_a_time_ends_at_the_deadline() -> None:
    """Neither the connect timeout nor the read timeout would ever end it."""
    stop = threading.Event()

    def drip(listener: socket.socket) -> None:
        while not stop.is_set():
            connection, _ = listener.accept()
            threading.Thread(target=drip_on, args=(connection,), daemon=True).start()

    def drip_on(connection: socket.socket) -> None:
        with connection:
            for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 10_000:
                if stop.wait(0.05):
                    return
                try:
                    connection.send(bytes([byte]))
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drip, args=(listener,), daemon=True).start()
        url, began = f"http://127.0.0.1:{listener.getsockname()[1]}", time.monotonic()
        with pytest.raises(ApiError, match=r"no complete response within 0.2 s"):
            client(url, limits=replace(FAST, deadline=0.2, tries=2)).get("/x")
        assert time.monotonic() - began < 5
        stop.set()


def test_a_response_that_is_too_large_is_an_error_at_once() -> None:
    limits = replace(FAST, response_bytes=2**20)
    with serve(lambda _: Answer(b" " * (2**20 + 1))) as server:
        with pytest.raises(ApiError, match="the response is larger than 1 MB; check api_url"):
            client(server.url, limits=limits).get("/x")
        assert len(server.requests) == 1


def test_a_redirect_is_an_error_and_not_followed() -> None:
    with serve(lambda _: GOOD) as elsewhere:
        redirect = Answer(status=302, headers={"Location": elsewhere.url + "/x"})
        with serve(lambda _: redirect) as server, pytest.raises(ApiError, match="redirect"):
            client(server.url).get("/x")
        assert not elsewhere.requests


def test_a_refusal_of_the_first_request_is_final_and_names_the_settings() -> None:
    refusal = Answer.error(401, 20003, "Authenticate")
    with serve(lambda _: refusal) as server:
        with pytest.raises(Denied, match=r"code 20003, Authenticate.*check account_sid and auth_"):
            client(server.url).get("/x")
        assert len(server.requests) == 1


def test_a_refusal_after_a_success_is_retried() -> None:
    refusal = Answer.error(401, 20003, "Authenticate")
    with serve(then_good(GOOD, refusal, refusal)) as server:
        twilio = client(server.url)
        twilio.get("/x")
        twilio.get("/x")
        assert len(server.requests) == 4


def test_a_refusal_that_lasts_ends_after_four_tries() -> None:
    answers = then_good(GOOD, *[Answer.error(403, 20003)] * 9)
    with serve(answers) as server:
        twilio = client(server.url)
        twilio.get("/x")
        with pytest.raises(Denied):
            twilio.get("/x")
        assert len(server.requests) == 5


def test_only_a_404_with_twilios_code_means_not_found() -> None:
    with serve(lambda _: Answer.error(404, 20404)) as server, pytest.raises(NotFound):
        client(server.url).get("/x")
    with serve(lambda _: Answer(b"no such page", 404)) as server:
        with pytest.raises(ApiError, match="answered 404") as caught:
            client(server.url).get("/x")
        assert not isinstance(caught.value, NotFound)


def test_an_error_has_twilios_code_and_message_in_one_line() -> None:
    answer = Answer.error(400, 20001, "Invalid\nStartDate " + "x" * 1000)
    with serve(lambda _: answer) as server, pytest.raises(ApiError) as caught:
        client(server.url).get("/x")
    assert str(caught.value).startswith("/x answered 400: code 20001, Invalid StartDate xxx")
    assert len(str(caught.value)) < 300


def test_a_secret_in_an_error_response_is_redacted() -> None:
    echo = Answer.error(401, 20003, f"bad token {TOKEN}, really")
    with serve(lambda _: echo) as server, pytest.raises(Denied, match=r"bad token \*\*\*, really"):
        client(server.url).get("/x")


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"12", b"null"])
def test_json_that_is_not_an_object_is_an_error_that_says_what_to_do(body: bytes) -> None:
    says = r"/x answered with a JSON \w+ instead of an object; run again, and report this line"
    with serve(lambda _: Answer(body)) as server, pytest.raises(ApiError, match=says):
        client(server.url).get("/x")


def test_numbers_are_returned_as_text() -> None:
    with serve(lambda _: Answer(b'{"price": 0.1000000000000000000001, "count": 5}')) as server:
        answer = client(server.url).get("/x")
    assert answer == {"price": "0.1000000000000000000001", "count": "5"}


def test_a_connection_that_ends_in_the_tls_handshake_is_retried() -> None:
    tries = []

    def hang_up(listener: socket.socket) -> None:
        with suppress(OSError):  # until the test closes the listener
            while True:
                connection, _ = listener.accept()
                tries.append(connection.recv(1))
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=hang_up, args=(listener,), daemon=True).start()
        with pytest.raises(ApiError, match=r"connection failed: .*gave up after 8 tries"):
            client(f"https://127.0.0.1:{listener.getsockname()[1]}").get("/x")
    assert len(tries) == 8


def test_a_certificate_that_cannot_be_verified_is_an_error_at_once() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    with serve(lambda _: GOOD) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        url = server.url.replace("http:", "https:").replace("127.0.0.1", "localhost")
        with pytest.raises(ApiError, match=r"could not be verified; .*set REQUESTS_CA_BUNDLE"):
            client(url).get("/x")


def test_the_ca_bundle_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "no-such-file.pem")
    with pytest.raises(ApiError, match="REQUESTS_CA_BUNDLE does not name a file"):
        client("https://127.0.0.1:1").get("/x")


def test_the_log_of_a_retry_has_the_request_the_reason_and_the_wait(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with serve(then_good(Answer.error(429, 20429, "Too Many Requests"))) as server:
        client(server.url).get("/x", "StartDate=2026-01-01&EndDate=2026-01-02&PageToken=private")
    (line,) = caplog.messages
    assert line.startswith("/x StartDate=2026-01-01&EndDate=2026-01-02: Twilio answered 429: code")
    assert line.endswith("; try 2 after 0.0 s")
    assert "private" not in line
