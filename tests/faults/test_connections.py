"""Cases 29, 35, 38 and 51: proxies, interim responses, compression bombs, certificates."""

from __future__ import annotations

import gzip
import json
import os
import resource
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from sandbox import Server
from tests.canary import leaks
from tests.conftest import COMMAND, Run, Sync, clean_environment, config
from tests.faults.conftest import Lab, of_streams, table
from tests.http_server import Answer, Request, serve
from tests.twilio import TOKEN, account

HOST = "api.twilio.test"  # exists only behind the proxy
PASSWORD = "canary-of-the-proxy"
STREAMS = ("accounts", "billing_group_records")
DAYS = {"2026-01-01": {"calls": "1", "totalprice": "1"}}


class Proxy:
    """A proxy that refuses connections, or leads each of them to the server, over TLS."""

    def __init__(self, target: str | None = None, status: int = 200) -> None:
        self.asked: list[str] = []  # the requests to the proxy itself
        self._address = ("127.0.0.1", int(target.rpartition(":")[2])) if target else None
        self._status = status
        self._authority = trustme.CA()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(HOST).configure_cert(self._tls)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://me:{PASSWORD}@127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Proxy:  # noqa: PYI034  (typing.Self needs Python 3.11)
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def bundle(self, folder: Path) -> str:
        path = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(str(path))
        return str(path)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                if not (received := connection.recv(1)):
                    return
                head += received
            self.asked.append(head.decode())
            connection.sendall(f"HTTP/1.1 {self._status} Said by the proxy\r\n\r\n".encode())
            if self._address is None or self._status != 200:
                return
            with (
                self._tls.wrap_socket(connection, server_side=True) as inner,
                socket.create_connection(self._address) as server,
            ):
                threading.Thread(target=relay, args=(server, inner), daemon=True).start()
                relay(inner, server)


def relay(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while received := source.recv(2**16):
            target.sendall(received)


# 29: proxies.


@pytest.mark.parametrize(
    "variable", ["HTTP_PROXY", "http_proxy", "Http_Proxy", "ALL_PROXY", "all_proxy"]
)
def test_a_proxy_gets_no_request_for_this_machine(lab: Lab, healthy: Run, variable: str) -> None:
    with Server(lab.company) as server, Proxy() as proxy:
        run = lab.run(server.url, *STREAMS, env={variable: proxy.url})
    assert run.code == 0
    assert proxy.asked == []
    assert table(run) == of_streams(healthy, *STREAMS)


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_connects_to_a_server_elsewhere_and_sees_no_credentials(
    lab: Lab, healthy: Run, tmp_path: Path, variable: str
) -> None:
    with Server(lab.company) as server, Proxy(server.url) as proxy:
        env = {variable: proxy.url, "REQUESTS_CA_BUNDLE": proxy.bundle(tmp_path)}
        run = lab.run(f"https://{HOST}", *STREAMS, env=env)
    assert run.code == 0
    assert table(run) == of_streams(healthy, *STREAMS)
    assert proxy.asked
    for head in proxy.asked:
        assert head.startswith(f"CONNECT {HOST}:443 HTTP/1.")
        assert leaks(head, (lab.settings("")["auth_token"],)) == []
    assert PASSWORD not in run.log


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "all_proxy"])
@pytest.mark.parametrize(
    ("status", "line"),
    [
        (407, "the proxy asks for a user and password (407); check those in {}"),
        (403, "the proxy refused the connection (403); check {}"),
    ],
)
def test_a_proxy_that_refuses_is_named_at_once(
    lab: Lab, status: int, line: str, variable: str
) -> None:
    with Proxy(status=status) as proxy:
        run = lab.run(f"https://{HOST}", "accounts", env={variable: proxy.url})
    assert run.code == 1
    assert run.last_line.endswith(line.format(variable))
    assert len(proxy.asked) == 1
    assert PASSWORD not in run.log


def test_a_proxy_that_fails_is_tried_again_and_then_named(lab: Lab) -> None:
    with Proxy(status=503) as proxy:
        run = lab.run(f"https://{HOST}", "accounts", env={"HTTPS_PROXY": proxy.url})
    assert run.code == 1
    assert "the proxy made no connection (503); check HTTPS_PROXY; gave up" in run.last_line
    assert len(proxy.asked) == 8


def test_a_proxy_that_is_not_there_is_named(lab: Lab) -> None:
    with Proxy() as proxy:
        pass
    run = lab.run(f"https://{HOST}", "accounts", env={"HTTPS_PROXY": proxy.url})
    assert run.code == 1
    assert "no connection to the proxy: Connection refused; check HTTPS_PROXY;" in run.last_line


def test_a_proxy_without_tls_is_named_at_once(lab: Lab) -> None:
    with serve(lambda _: Answer()) as proxy:
        url = proxy.url.replace("http:", "https:")
        run = lab.run(f"https://{HOST}", "accounts", env={"HTTPS_PROXY": url})
    assert run.code == 1
    assert run.last_line.endswith("no TLS connection to the proxy is possible; check HTTPS_PROXY")
    assert "; try 2" not in run.log


# 35: interim responses.


@pytest.mark.parametrize("interim", [(100,), (102,), (103,), (100, 102, 103, 103)])
def test_interim_responses_are_skipped(sync: Sync, interim: tuple[int, ...]) -> None:
    good = account(DAYS)

    def answer(request: Request) -> Answer:
        return replace(good(request), interim=interim)

    with serve(answer) as server:
        run = sync(config(server.url, end_date="2026-01-01"))
    assert run.code == 0
    assert len(run.records()) == 2
    assert "; try 2" not in run.log


# 38: compression bombs.


@contextmanager
def bomb() -> Iterator[str]:
    """Serve 2 MB that inflate to 2 GB."""
    body = gzip.compress(b" " * 2**24) * 128
    good = account(DAYS)

    def answer(request: Request) -> Answer:
        is_bomb = request.path.endswith("Daily.json")
        return Answer(body, headers={"Content-Encoding": "gzip"}) if is_bomb else good(request)

    with serve(answer) as server:
        yield server.url


def test_a_compression_bomb_takes_little_memory(tmp_path: Path) -> None:
    path, log = tmp_path / "config.json", tmp_path / "log"
    with bomb() as url, log.open("w") as stderr:
        path.write_text(json.dumps(config(url, end_date="2026-01-01")))
        started = subprocess.Popen(
            [COMMAND, "--config", path],
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env=clean_environment(),
        )
        _, status, usage = os.wait4(started.pid, 0)
        started.returncode = os.waitstatus_to_exitcode(status)
    assert started.returncode == 1
    line = log.read_text().splitlines()[-1]
    assert "the response is larger than 32 MB; check api_url and the proxy" in line
    assert TOKEN not in line
    # Kilobytes; a process begins with the peak of the one that started it.
    assert usage.ru_maxrss <= max(400 * 1024, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


# 51: certificates.


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("text", [None, "", "not a certificate"], ids=["missing", "empty", "text"])
def test_a_file_without_certificates_is_named_at_once(
    lab: Lab, tmp_path: Path, variable: str, text: str | None
) -> None:
    path = tmp_path / "bundle.pem"
    if text is not None:
        path.write_text(text)
    with Server(lab.company) as server:
        url = server.url.replace("http:", "https:")
        run = lab.run(url, "accounts", env={"REQUESTS_CA_BUNDLE": "", variable: str(path)})
    assert run.code == 1
    assert run.last_line.endswith(f"{variable} does not name a file with certificates (PEM)")
    assert "; try 2" not in run.log
