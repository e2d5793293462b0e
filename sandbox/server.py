"""The sandbox as an HTTP/1.1 server on loopback, with one thread for each connection."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import struct
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from sandbox.api import Api, Caller, Order
from sandbox.billing import BillingApi
from sandbox.billing_form import BillingForm
from sandbox.errors import (
    ApiError,
    forbidden,
    length_required,
    not_allowed,
    not_found,
    too_many_requests,
    unauthorized,
)
from sandbox.faults import Reply
from sandbox.oauth import CLIENT_ID, CLIENT_SECRET, TOKEN_PATH, Tokens
from sandbox.wire import Body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sandbox.company import Company

HOST = "127.0.0.1"
BILLING = "billing groups"  # what the token of the organization's app stands for
SERVER_NAME = "twilio-sandbox"


class Request(NamedTuple):
    """An answered request without its credentials. The `query` of a POST includes its body."""

    method: str
    path: str
    query: dict[str, str]
    status: int


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, sandbox: Server) -> None:
        self.sandbox = sandbox
        self.connections: set[socket.socket] = set()
        super().__init__((HOST, port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        # A client that disconnects during an answer is not an error of the server.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    def close_connections(self) -> None:
        """Close the kept-alive connections, whose threads would otherwise keep answering."""
        for connection in tuple(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: _HttpServer
    connection: socket.socket
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # With the process ID, `stop` can check that the server on a port is the one it started.
    server_version = f"{SERVER_NAME}/{os.getpid()}"
    sys_version = ""

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def do_GET(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def _respond(self) -> None:
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        authorization = self.headers.get("Authorization")
        headers: dict[str, str] = {}
        sandbox = self.server.sandbox
        try:
            # Read it for a GET too: the rest would otherwise be parsed as the next request.
            body = self._body()._replace(query=query)
            if self.command == "POST":
                query = body.parameters()
                content = sandbox.post(url.path, body, authorization)
            else:
                content = sandbox.get(url.path, query, authorization)
            status = sandbox.status(url.path)
        except ApiError as error:
            status, content, headers = error.status, error.body(), error.headers
        request = Request(self.command, url.path, query, status)
        reply = Reply(status, headers, content)
        if sandbox.plan and (fault := sandbox.plan(request)):
            reply = fault(reply)
            request = request._replace(status=reply.status)
            sandbox.faulty.append(request)
        sandbox.requests.append(request)
        if reply.sent != -1:
            self._send(reply)
        if reply.sent is not None:
            self._cut_off(reply)

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        headers = {
            "Content-Type": "application/json;charset=utf-8",
            "Content-Length": str(len(reply.content)),
            **reply.headers,
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        content = reply.content[: reply.sent]
        for piece in (bytes([byte]) for byte in content) if reply.pause else (content,):
            self.wfile.write(piece)
            time.sleep(reply.pause)

    def _cut_off(self, reply: Reply) -> None:
        self.close_connection = True
        if reply.reset:  # close with SO_LINGER 0, before anything shuts it down normally
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())

    def _body(self) -> Body:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not re.fullmatch("[0-9]{1,9}", length):
            raise length_required()
        return Body(self.headers.get_content_type(), self.rfile.read(int(length)))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing: the requests are in `Server.requests`."""


@dataclass(eq=False)
class Server:
    """An HTTP server for a company: a context manager that serves inside the `with` block.

    `others` are companies with main accounts of their own; only `company` has billing groups. The
    Restricted keys and OAuth apps of the accounts in `unpermitted` have no permission at all.

    With `port` 0 it uses a free port. `latency` is in seconds, and so is `token_lifetime`, the
    lifetime of a Bearer token. If there are more than `max_concurrent` requests at the same time
    (0: no limit), it answers 429, with the header `Retry-After` if `retry_after` is given.
    `billing` is the form in which the billing groups API takes requests. `plan` returns the fault
    for a request, or None.
    """

    company: Company
    port: int = 0
    latency: float = 0.0
    max_concurrent: int = 0
    retry_after: str | None = None
    order: Order = "newest"
    token_lifetime: float = 3600.0
    billing: BillingForm = field(default_factory=BillingForm)
    plan: Callable[[Request], Callable[[Reply], Reply] | None] | None = None
    others: Sequence[Company] = ()
    unpermitted: set[str] = field(default_factory=set, init=False)
    requests: list[Request] = field(default_factory=list, init=False)
    faulty: list[Request] = field(default_factory=list, init=False)
    last_used: float = field(default_factory=time.monotonic, init=False)

    def __post_init__(self) -> None:
        """Create the APIs and the lock."""
        self._apis = [Api(each, self.order) for each in (self.company, *self.others)]
        self._billing = BillingApi(self.company, self.order, self.billing)
        self._tokens = Tokens(
            self.token_lifetime,
            {
                (CLIENT_ID, CLIENT_SECRET): BILLING,
                **{
                    account.oauth_app: (api, Caller(account.sid, by_api_key=True, only_usage=True))
                    for api in self._apis
                    for account in api.company.accounts()
                },
            },
        )
        self._lock = threading.Lock()
        self._running = 0
        self._http: _HttpServer | None = None

    @property
    def url(self) -> str:
        """The base URL, without a slash at the end."""
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        """Listen on the port; raise OSError if it is in use."""
        self._http = _HttpServer(self.port, self)
        self.port = self._http.server_port
        threading.Thread(
            target=self._http.serve_forever, args=(0.05,), name="twilio-sandbox", daemon=True
        ).start()

    def stop(self) -> None:
        """Close the port and every connection."""
        if self._http is not None:
            self._http.shutdown()
            self._http.close_connections()
            self._http.server_close()
            self._http = None

    def __enter__(self) -> Server:  # noqa: PYI034 - typing.Self needs Python 3.11
        """Start the server."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the server."""
        self.stop()

    def get(self, path: str, query: dict[str, str], authorization: str | None) -> bytes:
        """Return the body of the answer to a GET; raise ApiError for an error."""
        if path == TOKEN_PATH or (self._billing.has(path) and self.billing.next_page != "get"):
            raise not_allowed("POST")
        if self._billing.has(path):
            return self._records("GET", path, Body("", b"", query), authorization)
        api, caller = self._authenticate(authorization)
        with self._slot():
            if caller.only_usage and caller.sid in self.unpermitted:
                raise forbidden()
            return api.get(path, query, caller)

    def _authenticate(self, authorization: str | None) -> tuple[Api, Caller]:
        """Return the caller, and the API of its company; raise ApiError 401 if there is none."""
        if (authorization or "").lower().startswith("bearer "):
            owner = self._tokens.check(authorization)
            if not isinstance(owner, tuple):
                raise unauthorized("Basic")
            return owner
        for api in self._apis:
            with contextlib.suppress(ApiError):
                return api, api.authenticate(authorization)
        raise unauthorized("Basic")

    def post(self, path: str, body: Body, authorization: str | None) -> bytes:
        """Return the body of the answer to a POST; raise ApiError for an error."""
        if path == TOKEN_PATH:
            with self._slot():
                return self._tokens.grant(body)
        if not self._billing.has(path):
            raise not_found(path)
        return self._records("POST", path, body, authorization)

    def status(self, path: str) -> int:
        """Return the status of an answer that is not an error."""
        return self.billing.status if self._billing.has(path) else 200

    def _records(self, method: str, path: str, body: Body, authorization: str | None) -> bytes:
        if self._tokens.check(authorization) is not BILLING:
            raise forbidden()
        with self._slot():
            return self._billing.records(method, path, body)

    @property
    def tokens(self) -> list[str]:
        """All tokens issued so far."""
        return self._tokens.given

    def revoke_tokens(self) -> None:
        """Revoke all tokens issued so far."""
        self._tokens.revoke()

    def work(self) -> None:
        """Take the time that an answer takes."""
        time.sleep(self.latency)

    @contextlib.contextmanager
    def _slot(self) -> Iterator[None]:
        # Released before the answer is sent: the client may send its next request at once.
        with self._lock:
            if self.max_concurrent and self._running >= self.max_concurrent:
                raise too_many_requests(self.retry_after)
            self._running += 1
        try:
            self.work()
            yield
        finally:
            with self._lock:
                self._running -= 1
                self.last_used = time.monotonic()
