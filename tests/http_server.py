"""A real HTTP server on loopback whose answers each test defines."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Request:
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """A response; `length` is a wrong Content-Length, `interim` are sent before the answer."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    interim: tuple[int, ...] = ()

    @classmethod
    def json(cls, value: Any, status: int = 200, **headers: str) -> Answer:
        sent = {name.replace("_", "-"): text for name, text in headers.items()}
        body = json.dumps(value).encode()
        return cls(body, status, {"Content-Type": "application/json", **sent})

    @classmethod
    def error(cls, status: int, code: int, message: str = "", **headers: str) -> Answer:
        more_info = f"https://www.twilio.com/docs/errors/{code}"
        body = {"code": code, "message": message, "more_info": more_info, "status": status}
        return cls.json(body, status, **headers)


class LocalServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def paths(self) -> list[str]:
        return [request.path.rpartition("/")[2] for request in self.requests]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: LocalServer
    _lock: ClassVar = threading.Lock()

    def do_GET(self) -> None:
        path, _, query = self.requestline.split()[1].partition("?")  # not decoded
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = Request(path, dict(parse_qsl(query)), dict(self.headers), body)
        with self._lock:
            self.server.requests.append(request)
            answer = self.server.answer(request)
        for status in answer.interim:
            self.send_response_only(status)
            self.send_header("Link", "</style.css>; rel=preload")
            self.end_headers()
        self.send_response(answer.status)
        for name, text in answer.headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(answer.length or len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)
        self.close_connection = answer.length is not None

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Do not log."""


@contextmanager
def serve(answer: Callable[[Request], Answer]) -> Iterator[LocalServer]:
    with LocalServer(answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
