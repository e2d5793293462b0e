"""One HTTP request and its response, bounded in time and size."""

from __future__ import annotations

import errno
import os
import re
import ssl
from collections.abc import Iterator, Mapping
from concurrent.futures import TimeoutError as DeadlineExceeded
from http.client import HTTPException
from typing import Any, NamedTuple

import msgspec
import requests
from requests.auth import AuthBase

from tap_twilio_usage.errors import TapError
from tap_twilio_usage.twilio import connections as http
from tap_twilio_usage.twilio.errors import ApiError, Transient
from tap_twilio_usage.twilio.limits import Limits
from tap_twilio_usage.twilio.threads import spawn

CHUNK = 2**20  # bytes per read; with fewer reads, threads wait less for each other

# The causes of which another try may get rid.
FAILED_CONNECTIONS = (
    requests.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)
EXHAUSTED = {errno.EMFILE, errno.ENFILE}
REFUSED_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")  # of http.client

Json = dict[str, Any]
Decoder = msgspec.json.Decoder[Any]


class Request(NamedTuple):
    """A GET, or a POST of `json` or `form`, which may be empty.

    `label` replaces the path in logs. `decoder` reads responses of the form that Twilio documents;
    any other response is read as generic JSON.
    """

    path: str
    query: str = ""
    json: Json | None = None
    form: Mapping[str, str] | None = None
    label: str = ""
    decoder: Decoder | None = None

    @property
    def name(self) -> str:
        """The name of the request in logs and errors."""
        return self.label or self.path

    def __str__(self) -> str:
        """Return the name and the dates of the request; no other parameter is for the log."""
        body = {**(self.json or {}), **(self.form or {})}
        dates = "&".join(
            [
                *(each for each in self.query.split("&") if "Date=" in each),
                *(f"{key}={value}" for key, value in body.items() if key.endswith("Date")),
            ]
        )
        return f"{self.name} {dates}".strip()


class Response(NamedTuple):
    """A complete response."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Transport:
    """HTTP to one base URL; safe to use from many threads."""

    def __init__(self, base_url: str, setting: str, connections: int, limits: Limits) -> None:
        """Open no connection yet. `setting` is the name of the setting that holds the URL."""
        self._base_url = base_url
        self._setting = setting
        self._limits = limits
        self._session = http.session(connections)
        self._session.headers["User-Agent"] = "tap-twilio-usage"

    def send(self, request: Request, auth: AuthBase) -> Response:
        """Return the complete response, whatever its status.

        Raises Transient if another try may succeed, ApiError if none will, and TapError if this
        machine has no threads or files left for it.
        """
        limits = self._limits
        try:
            # On its own thread: nothing else bounds name resolution or a very slow response.
            return spawn(lambda: self._exchange(request, auth)).result(limits.deadline)
        except DeadlineExceeded:
            raise Transient(f"no complete response within {limits.deadline:g} s") from None
        except requests.ConnectTimeout:
            raise Transient(f"no connection within {limits.connect_timeout:g} s") from None
        except requests.Timeout:
            raise Transient(f"no data for {limits.read_timeout:g} s") from None
        except (OSError, TypeError, ValueError) as error:  # also what requests does not wrap
            raise self._failure(error) from None

    def _failure(self, error: Exception) -> TapError:
        """Return the error of an exchange that failed, without the URL and without a secret."""
        causes = list(_causes(error))
        if any(isinstance(each, OSError) and each.errno in EXHAUSTED for each in causes):
            return TapError(
                "no further connection can be opened: the process has too many open files; raise "
                "the limit (ulimit -n)"
            )
        is_of_tls = any(isinstance(each, ssl.SSLError) for each in causes)
        is_of_connection = isinstance(error, FAILED_CONNECTIONS)
        if (is_of_tls or not is_of_connection) and (variable := _unusable_bundle()):
            return ApiError(f"{variable} does not name a file with certificates (PEM)")
        if isinstance(error, requests.exceptions.ProxyError):
            return _proxy_failure(causes)
        if any(isinstance(each, ssl.SSLCertVerificationError) for each in causes):
            return ApiError(
                f"the TLS certificate of {self._setting} could not be verified; behind a proxy "
                "with a certificate of its own, set REQUESTS_CA_BUNDLE"
            )
        if is_of_connection:
            return Transient(f"connection failed: {_reason(causes)}")
        return ApiError(
            f"the request could not be made: {type(error).__name__}; check {self._setting}, "
            "HTTPS_PROXY and REQUESTS_CA_BUNDLE"
        )

    def _exchange(self, request: Request, auth: AuthBase) -> Response:
        with self._session.request(
            "GET" if request.json is request.form is None else "POST",
            self._base_url + request.path + (f"?{request.query}" if request.query else ""),
            json=request.json,
            data=request.form,
            auth=auth,
            timeout=(self._limits.connect_timeout, self._limits.read_timeout),
            allow_redirects=False,
            stream=True,
        ) as response:
            chunks, size = [], 0
            for chunk in response.iter_content(CHUNK):
                chunks.append(chunk)
                size += len(chunk)
                if size > self._limits.response_bytes:
                    raise ApiError(
                        f"{request.name}: the response is larger than "
                        f"{self._limits.response_bytes >> 20} MB; check {self._setting} and the "
                        "proxy"
                    )
            return Response(response.status_code, response.headers, b"".join(chunks))


def _proxy_failure(causes: list[BaseException]) -> ApiError:
    """Return the error of a connection through a proxy. What the proxy says is not repeated."""
    variable = http.proxy_variable()
    refusals = (REFUSED_TUNNEL.search(str(each)) for each in causes)
    if status := next((int(match[1]) for match in refusals if match), None):
        if status == requests.codes.proxy_authentication_required:
            return ApiError(
                f"the proxy asks for a user and password ({status}); check those in {variable}"
            )
        if status < requests.codes.server_error:
            return ApiError(f"the proxy refused the connection ({status}); check {variable}")
        return Transient(f"the proxy made no connection ({status}); check {variable}")
    if any(isinstance(each, ssl.SSLError) for each in causes):
        return ApiError(f"no TLS connection to the proxy is possible; check {variable}")
    return Transient(f"no connection to the proxy: {_reason(causes)}; check {variable}")


def _unusable_bundle() -> str | None:
    """Return the variable whose certificates requests would use, if they cannot be loaded."""
    variable = next(filter(os.environ.get, ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")), None)
    if variable and not os.path.isdir(path := os.environ[variable]):  # noqa: PTH112
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
        except OSError:  # also ssl.SSLError
            return variable
    return None


def _reason(causes: list[BaseException]) -> str:
    """Return why a connection failed, without the URL that requests puts into its message."""
    why = next((c.strerror for c in causes if isinstance(c, OSError) and c.strerror), None)
    kind = next((c for c in causes if isinstance(c, HTTPException)), causes[0])
    return why or type(kind).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and all its causes, however requests and urllib3 have wrapped them."""
    seen: list[BaseException] = [error]
    for cause in seen:
        yield cause
        wrapped = (getattr(cause, "reason", None), *cause.args, cause.__cause__, cause.__context__)
        seen += [each for each in wrapped if isinstance(each, BaseException) and each not in seen]
