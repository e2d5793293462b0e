"""Requests, retries and guards, against a server that misbehaves in exactly the way named."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
import trustme

from tap_twilio_usage.logs.heartbeat import Heartbeat
from tap_twilio_usage.logs.redaction import Redactor
from tap_twilio_usage.twilio import client as client_module
from tap_twilio_usage.twilio import transport
from tap_twilio_usage.twilio.auth import Basic
from tap_twilio_usage.twilio.client import Client
from tap_twilio_usage.twilio.errors import ApiError, Denied, NotFound, Transient
from tests.http_server import Answer, Request, serve
from tests.twilio import TOKEN

GOOD = Answer.json({"rows": [], "next_page_uri": None})


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "FIRST_WAIT", 0.001)


def client(url: str) -> Client:
    return Client(
        url,
        Basic("AC", TOKEN),
        setting="api_url",
        mask=Redactor([TOKEN]),
        watch=Heartbeat(logging.getLogger("test")),
        connections=2,
        logger=logging.getLogger("tap-test"),
    )


def then_good(*answers: Answer) -> Callable[[Request], Answer]:
    """Answer these, one a request, and well from then on."""
    left: Iterator[Answer] = iter(answers)
    return lambda _: next(left, GOOD)


PASSING = {
    "429 without Retry-After": Answer.error(429, 20429, "Too Many Requests"),
    "429 with garbage": Answer.error(429, 20429, Retry_After="soon"),
    "500 with code 20500": Answer.error(500, 20500, "Internal Server Error"),
    "503 with 100 kB of HTML": Answer(b"<html>" + b"x" * 100_000, 503),
    "200 with truncated JSON": Answer(b'{"rows": [', headers={"Content-Type": "application/json"}),
    "200 with HTML": Answer(b"<html></html>", headers={"Content-Type": "text/html"}),
    "200 with nothing": Answer(b""),
    "200 nested beyond reason": Answer(b"[" * 100_000),
    "a body cut short": Answer(b'{"rows": []}', length=500),
    "broken gzip": Answer(b"no gzip", headers={"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
def test_what_may_pass_is_tried_again(fault: Answer, caplog: pytest.LogCaptureFixture) -> None:
    with serve(then_good(fault, fault)) as server:
        assert client(server.url).get("/x") == {"rows": [], "next_page_uri": None}
        assert len(server.requests) == 3
    assert [len(line) < 400 for line in caplog.messages] == [True, True]


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
def test_what_does_not_pass_ends_in_one_line(fault: Answer) -> None:
    with serve(lambda _: fault) as server, pytest.raises(ApiError, match="gave up after 8 tries"):
        client(server.url).get("/x")


def test_a_connection_that_is_refused_is_tried_again_and_then_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
    with pytest.raises(ApiError, match=r"connection failed: Connection refused; gave up"):
        client(url).get("/x")


def test_retry_after_in_seconds_is_kept() -> None:
    with serve(then_good(Answer.error(429, 20429, Retry_After="1"))) as server:
        began = time.monotonic()
        client(server.url).get("/x")
        assert time.monotonic() - began >= 1


def test_retry_after_as_a_date_is_kept() -> None:
    later = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=3), usegmt=True)
    with serve(then_good(Answer.error(429, 20429, Retry_After=later))) as server:
        began = time.monotonic()
        client(server.url).get("/x")
        assert time.monotonic() - began >= 1.5


@pytest.mark.parametrize("asked", ["86400", "Fri, 31 Dec 2100 23:59:59 GMT"])
def test_retry_after_beyond_reason_fails_with_the_reason(asked: str) -> None:
    with serve(lambda _: Answer.error(429, 20429, Retry_After=asked)) as server:
        with pytest.raises(ApiError, match=r"asks to wait \d+ s, longer than the 300 s"):
            client(server.url).get("/x")
        assert len(server.requests) == 1


def test_a_small_retry_after_does_not_stop_the_waits_from_growing() -> None:
    waits = client_module._waits()
    next(waits)
    assert [waits.send(Transient("", 0.002)) for _ in range(4)] == [0.002, 0.002, 0.004, 0.008]


def test_waits_grow_and_never_fall_short_of_what_was_asked() -> None:
    waits = client_module._waits()
    next(waits)
    assert [waits.send(ApiError("")) for _ in range(20)][-1] == client_module.LONGEST_WAIT
    assert all(5 <= client_module._jitter(5) <= 6.25 for _ in range(100))


def test_a_server_that_says_nothing_is_waited_for_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transport, "TIMEOUTS", (1, 0.05))
    monkeypatch.setattr(client_module, "TRIES", 3)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(ApiError, match=r"no data for 0.05 s; gave up after 3 tries"),
    ):
        client(f"http://127.0.0.1:{silent.getsockname()[1]}").get("/x")


def test_a_byte_a_second_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the time to connect nor that of a single read would ever end it."""
    monkeypatch.setattr(transport, "DEADLINE", 0.2)
    monkeypatch.setattr(client_module, "TRIES", 2)
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
        dripping = threading.Thread(target=drip, args=(listener,), daemon=True)
        dripping.start()
        began = time.monotonic()
        with pytest.raises(ApiError, match=r"no complete answer within 0.2 s"):
            client(f"http://127.0.0.1:{listener.getsockname()[1]}").get("/x")
        assert time.monotonic() - began < 5
        stop.set()


def test_a_redirect_is_refused_and_not_followed() -> None:
    with serve(lambda _: GOOD) as elsewhere:
        redirect = Answer(status=302, headers={"Location": elsewhere.url + "/x"})
        with serve(lambda _: redirect) as server, pytest.raises(ApiError, match="redirect"):
            client(server.url).get("/x")
        assert not elsewhere.requests


def test_a_refusal_at_the_start_is_final_and_names_the_settings() -> None:
    refusal = Answer.error(401, 20003, "Authenticate")
    with serve(lambda _: refusal) as server:
        with pytest.raises(Denied, match=r"code 20003, Authenticate.*check account_sid and auth_"):
            client(server.url).get("/x")
        assert len(server.requests) == 1


def test_a_refusal_after_a_success_is_tried_again() -> None:
    refusal = Answer.error(401, 20003, "Authenticate")
    with serve(then_good(GOOD, refusal, refusal)) as server:
        twilio = client(server.url)
        twilio.get("/x")
        twilio.get("/x")
        assert len(server.requests) == 4


def test_a_refusal_that_lasts_ends_after_a_few_tries() -> None:
    answers = then_good(GOOD, *[Answer.error(403, 20003)] * 9)
    with serve(answers) as server:
        twilio = client(server.url)
        twilio.get("/x")
        with pytest.raises(Denied):
            twilio.get("/x")
        assert len(server.requests) == 5


def test_twilios_404_is_told_from_any_other() -> None:
    with serve(lambda _: Answer.error(404, 20404)) as server, pytest.raises(NotFound):
        client(server.url).get("/x")
    with serve(lambda _: Answer(b"no such page", 404)) as server:
        with pytest.raises(ApiError, match="answered 404") as caught:
            client(server.url).get("/x")
        assert not isinstance(caught.value, NotFound)


def test_an_error_says_code_message_and_link_in_one_line() -> None:
    answer = Answer.error(400, 20001, "Invalid\nStartDate " + "x" * 1000)
    with serve(lambda _: answer) as server, pytest.raises(ApiError) as caught:
        client(server.url).get("/x")
    assert str(caught.value).startswith("/x answered 400: code 20001, Invalid StartDate xxx")
    assert len(str(caught.value)) < 300


def test_a_secret_in_what_a_server_says_is_masked() -> None:
    echo = Answer.error(401, 20003, f"bad token {TOKEN}, really")
    with serve(lambda _: echo) as server, pytest.raises(Denied, match=r"bad token \*\*\*, really"):
        client(server.url).get("/x")


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"12", b"null"])
def test_json_that_is_no_object_is_fatal(body: bytes) -> None:
    with serve(lambda _: Answer(body)) as server, pytest.raises(ApiError, match="not with an obj"):
        client(server.url).get("/x")


@pytest.mark.parametrize("envelope", [{}, {"records": []}, {"rows": None}, {"rows": {}}])
def test_an_envelope_without_its_list_is_fatal(envelope: object) -> None:
    with serve(lambda _: Answer.json(envelope)) as server, pytest.raises(ApiError, match="a list"):
        list(client(server.url).pages("/x", {}, "rows"))


def test_a_number_comes_as_the_text_it_is() -> None:
    with serve(lambda _: Answer(b'{"price": 0.1000000000000000000001, "count": 5}')) as server:
        answer = client(server.url).get("/x")
    assert answer == {"price": "0.1000000000000000000001", "count": "5"}


# Paging.


def book(link_to: Callable[[str, int], object], pages: int = 3) -> Callable[[Request], Answer]:
    """Answer with numbered pages, each linked to the next in the way given."""

    def answer(request: Request) -> Answer:
        number = int(request.query.get("Page", 0))
        link = link_to(request.headers["Host"], number + 1) if number + 1 < pages else None
        return Answer.json({"rows": [number] if number != 1 else [], "next_page_uri": link})

    return answer


SAME = {
    "relative": lambda _, n: f"/a/x.json?Page={n}&PageToken=PA%2Fq%3D",
    "absolute on the same host": lambda host, n: f"http://{host}/a/x.json?Page={n}",
    "without .json": lambda _, n: f"/a/x?Page={n}",
}
ELSEWHERE = {
    "another host": lambda host, n: f"http://evil.example:{host.split(':')[1]}/a/x.json?Page={n}",
    "another port": lambda _, n: f"http://127.0.0.1:1/a/x.json?Page={n}",
    "another scheme": lambda host, n: f"ftp://{host}/a/x.json?Page={n}",
    "with userinfo": lambda host, n: f"http://me:secret@{host}/a/x.json?Page={n}",
    "no scheme": lambda _, n: f"//evil.example/a/x.json?Page={n}",
    "backslashes": lambda _, n: f"\\\\evil.example\\a/x.json?Page={n}",
    "another path": lambda _, n: f"/b/x.json?Page={n}",
    "a path that climbs": lambda _, n: f"/a/../b/x.json?Page={n}",
    "no query": lambda _, __: "/a/x.json",
    "no URL": lambda _, __: "http://[",
    "no text": lambda _, n: n,
}


@pytest.mark.parametrize("link", SAME.values(), ids=SAME.keys())
def test_a_link_to_the_same_collection_is_followed(link: Callable[[str, int], object]) -> None:
    with serve(book(link)) as server:
        pages = list(client(server.url).pages("/a/x.json", {"PageSize": "1"}, "rows"))
    assert pages == [["0"], [], ["2"]]  # an empty page with a next link does not end it


@pytest.mark.parametrize("link", ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_a_link_that_leads_elsewhere_is_fatal_and_not_followed(
    link: Callable[[str, int], object],
) -> None:
    with serve(book(link)) as server:
        with pytest.raises(ApiError, match="leads elsewhere") as caught:
            list(client(server.url).pages("/a/x.json", {}, "rows"))
        assert len(server.requests) == 1
    assert "secret" not in str(caught.value)


def test_paging_that_goes_in_a_circle_is_found_out() -> None:
    circle = book(lambda _, n: f"/x?Page={n % 2 + 1}", pages=9)
    with serve(circle) as server, pytest.raises(ApiError, match="comes back to a page"):
        list(client(server.url).pages("/x", {}, "rows"))


def test_paging_without_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MOST_PAGES", 20)
    endless = book(lambda _, n: f"/x?Page={n}", pages=10**9)
    with serve(endless) as server, pytest.raises(ApiError, match="over 20 pages"):
        list(client(server.url).pages("/x", {}, "rows"))


def test_a_404_after_the_first_page_is_no_lack_of_data() -> None:
    def answer(request: Request) -> Answer:
        missing = Answer.error(404, 20404)
        return missing if "Page" in request.query else book(lambda _, n: f"/x?Page={n}")(request)

    with serve(answer) as server:
        with pytest.raises(ApiError, match="a page after the first is missing") as caught:
            list(client(server.url).pages("/x", {}, "rows"))
        assert not isinstance(caught.value, NotFound)


def test_links_of_an_api_behind_a_base_path_are_followed() -> None:
    with serve(book(lambda _, n: f"/base/x.json?Page={n}")) as server:
        pages = client(server.url + "/base").pages("/x.json", {}, "rows")
        assert list(pages) == [["0"], [], ["2"]]
        assert {request.path for request in server.requests} == {"/base/x.json"}


def test_a_connection_that_ends_in_the_tls_handshake_is_tried_again() -> None:
    tries = []

    def hang_up(listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            tries.append(connection.recv(1))
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=hang_up, args=(listener,), daemon=True).start()
        with pytest.raises(ApiError, match=r"connection failed: .*gave up after 8 tries"):
            client(f"https://127.0.0.1:{listener.getsockname()[1]}").get("/x")
    assert len(tries) == 8


def test_a_certificate_that_cannot_be_verified_is_fatal_at_once() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    with serve(lambda _: GOOD) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        url = server.url.replace("http:", "https:").replace("127.0.0.1", "localhost")
        with pytest.raises(ApiError, match="could not be verified"):
            client(url).get("/x")


def test_the_environments_ca_bundle_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "no-such-file.pem")
    with pytest.raises(ApiError, match="the request could not be made"):
        client("https://127.0.0.1:1").get("/x")


def test_the_log_of_a_retry_says_what_why_and_when(caplog: pytest.LogCaptureFixture) -> None:
    with serve(then_good(Answer.error(429, 20429, "Too Many Requests"))) as server:
        client(server.url).get("/x", "StartDate=2026-01-01&EndDate=2026-01-02&PageToken=private")
    (line,) = caplog.messages
    assert line.startswith("/x StartDate=2026-01-01&EndDate=2026-01-02: Twilio answered 429: code")
    assert "try 2 after" in line
    assert "private" not in line
