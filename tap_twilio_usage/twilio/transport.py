"""One request and its answer: bounded in time and size, and in words if the connection fails."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from concurrent.futures import TimeoutError as DeadlineExceeded
from http.client import HTTPException
from typing import Any, NamedTuple

import msgspec
import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from tap_twilio_usage.twilio.errors import ApiError, Transient
from tap_twilio_usage.twilio.threads import spawn

TIMEOUTS = (10, 60)  # seconds to connect, and for each read
DEADLINE = 120  # seconds for the whole answer, however slowly it drips
CHUNK = 2**20  # bytes read at a time; the fewer, the less threads wait for each other
MOST_BYTES = 32 * 2**20  # of an answer; a page of 1,000 records has less than two million

Json = dict[str, Any]


class Call(NamedTuple):
    """A request: a GET, or a POST of the JSON or the form. Logs show its name and its dates.

    The decoder is for answers of the form that Twilio documents; others are read as any JSON is.
    """

    path: str
    query: str = ""
    json: Json | None = None
    form: Mapping[str, str] | None = None
    shown: str = ""
    decoder: msgspec.json.Decoder[Any] | None = None

    @property
    def name(self) -> str:
        """What logs and errors call it."""
        return self.shown or self.path

    def __str__(self) -> str:
        """Give the name, and the days it asks for."""
        body = (f"{key}={value}" for key, value in (self.json or {}).items())
        asked = self.query.split("&") if self.query else body
        dates = "&".join(part for part in asked if "Date=" in part)
        return f"{self.name} {dates}".strip()


class Answer(NamedTuple):
    """What came back, whole."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Give none: a redirect is no answer, and requests would read all of it to look ahead."""


class Transport:
    """HTTP to one base URL; safe to use from many threads."""

    def __init__(self, base_url: str, setting: str, connections: int) -> None:
        """Open no connection yet. `setting` is where the URL comes from."""
        self._base_url = base_url
        self._setting = setting
        self._session = _Session()
        self._session.headers["User-Agent"] = "tap-twilio-usage"
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=connections))

    def send(self, call: Call, auth: AuthBase) -> Answer:
        """Give the whole answer, of whatever status.

        Raises Transient where another try may help, ApiError where none will.
        """
        try:
            # On a thread of its own: nothing else bounds name resolution, or an answer that drips.
            return spawn(lambda: self._request(call, auth)).result(DEADLINE)
        except DeadlineExceeded:
            raise Transient(f"no complete answer within {DEADLINE} s") from None
        except requests.exceptions.SSLError as error:
            if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error)):
                raise ApiError(
                    f"the TLS certificate of {self._setting} could not be verified "
                    "(REQUESTS_CA_BUNDLE?)"
                ) from None
            raise Transient(_reason(error)) from None
        except requests.ConnectTimeout:
            raise Transient(f"no connection within {TIMEOUTS[0]} s") from None
        except requests.Timeout:
            raise Transient(f"no data for {TIMEOUTS[1]} s") from None
        except (
            requests.ConnectionError,
            requests.exceptions.ChunkedEncodingError,
            requests.exceptions.ContentDecodingError,
        ) as error:
            raise Transient(_reason(error)) from None
        except (OSError, TypeError, ValueError) as error:  # requests' own errors, and its lapses
            kind = type(error).__name__
            raise ApiError(
                f"the request could not be made: {kind}; check {self._setting}, HTTPS_PROXY and "
                "REQUESTS_CA_BUNDLE"
            ) from None

    def _request(self, call: Call, auth: AuthBase) -> Answer:
        with self._session.request(
            "GET" if call.json is call.form is None else "POST",
            self._base_url + call.path + (f"?{call.query}" if call.query else ""),
            json=call.json,
            data=call.form,
            auth=auth,
            timeout=TIMEOUTS,
            allow_redirects=False,
            stream=True,
        ) as response:
            chunks, size = [], 0
            for chunk in response.iter_content(CHUNK):
                chunks.append(chunk)
                size += len(chunk)
                if size > MOST_BYTES:
                    raise ApiError(f"{call.name} answered with over {MOST_BYTES >> 20} MB; stopped")
            return Answer(response.status_code, response.headers, b"".join(chunks))


def _reason(error: BaseException) -> str:
    """Say what broke a connection, without the URL that requests puts in its message."""
    causes = list(_causes(error))
    why = next((c.strerror for c in causes if isinstance(c, OSError) and c.strerror), None)
    kind = next((c for c in causes if isinstance(c, HTTPException)), error)
    return f"connection failed: {why or type(kind).__name__}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Give the error and what lies beneath it, however requests and urllib3 have wrapped it."""
    seen: list[BaseException] = [error]
    for cause in seen:
        yield cause
        beneath = (getattr(cause, "reason", None), *cause.args, cause.__cause__, cause.__context__)
        seen += [b for b in beneath if isinstance(b, BaseException) and b not in seen]
