"""Twilio over HTTP: retries, and the guards of answers and of paging."""

from __future__ import annotations

import json
import logging
import random
import re
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

import backoff
import msgspec
import requests
from requests.auth import AuthBase

from tap_twilio_usage.logs.heartbeat import Heartbeat
from tap_twilio_usage.logs.redaction import Redactor
from tap_twilio_usage.money.parsers import mail_date
from tap_twilio_usage.twilio.auth import Credentials
from tap_twilio_usage.twilio.concurrency import Throttle
from tap_twilio_usage.twilio.errors import ApiError, Denied, NotFound, RetriesExhausted, Transient
from tap_twilio_usage.twilio.transport import Answer, Call, Json, Transport

TRIES = 8
TRIES_WHEN_DENIED = 4
FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0
LONGEST_RETRY_AFTER = 300.0
MOST_PAGES = 1000
NO_DATA = "20404"
QUERY = re.compile(r"[!-~]{1,4000}")  # of a URL (RFC 3986); logs have parts of it

Attempt = Callable[[Call], Json]
Decoder = msgspec.json.Decoder[Any]


class Client:
    """Requests to one API with one set of credentials; safe to use from many threads."""

    def __init__(  # noqa: PLR0913  (each is one thing, and given by name)
        self,
        base_url: str,
        credentials: Credentials,
        *,
        setting: str,
        mask: Redactor,
        watch: Heartbeat,
        connections: int,
        logger: logging.Logger,
    ) -> None:
        """Open no connection yet. `setting` is where the URL comes from.

        The `mask` goes over what servers say of errors; the `watch` knows what is waited for.
        """
        self._base_url = base_url
        self._credentials = credentials
        self._setting = setting
        self.mask = mask
        self._watch = watch
        self._logger = logger
        self._proven = False
        self._transport = Transport(base_url, setting, connections)
        self._throttle = Throttle(connections, logger)

    def get(
        self,
        path: str,
        query: str = "",
        *,
        decoder: Decoder | None = None,
        try_again_if_denied: bool = True,
    ) -> Json:
        """Give the JSON object that the path answers with.

        Numbers in it are left as text: no float comes near a price. A 401 or 403 is tried again
        once these credentials have worked: Twilio has sent such in the middle of good runs. What
        the `decoder` can read comes as it gives it, in a dictionary.
        Raises ApiError: Denied, NotFound, RetriesExhausted, or itself.
        """
        call = Call(path, query, decoder=decoder)
        return self._call(call, try_again_if_denied=try_again_if_denied)

    def post(
        self,
        path: str,
        *,
        name: str,
        json: Json | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Json:
        """Give the JSON object that the path answers a POST with, as `get` does.

        For requests that only read: a POST is tried again as a GET is. The name is what logs show.
        """
        return self._call(Call(path, json=json, form=form, shown=name))

    def _call(self, call: Call, *, try_again_if_denied: bool = True) -> Json:
        tries = TRIES_WHEN_DENIED if self._proven and try_again_if_denied else 1
        attempt = self._retried(Denied, tries)(self._retried(Transient, TRIES)(self._attempt))
        try:
            with self._watch.over(f"{call}"):
                answer: Json = attempt(call)
        except Transient as error:
            raise RetriesExhausted(f"{call.name}: {error}; gave up after {TRIES} tries") from None
        self._proven = True
        return answer

    def pages(
        self, path: str, params: Mapping[str, str], key: str, decoder: Decoder | None = None
    ) -> Iterator[list[Any]]:
        """Give the list under `key` of each page, following `next_page_uri` to the end.

        Only the query of that link is used, on this client's own URL, after a check that it
        names the same collection: credentials go nowhere else.
        """
        query = urlencode(params)
        asked = {query}
        while True:
            page = self._page(path, query, decoder, first=len(asked) == 1)
            rows = page.get(key)
            if not isinstance(rows, list):
                raise ApiError(
                    f"{path} answered without a list of {key}: not what Twilio documents"
                )
            if "next_page_uri" not in page:  # null on the last page; without it, nobody knows
                raise ApiError(f"{path} answered without next_page_uri: not what Twilio documents")
            yield rows
            link = page["next_page_uri"]
            if link is None:
                return
            query = self._next_query(path, link)
            if query in asked or len(asked) >= MOST_PAGES:
                why = "comes back to a page" if query in asked else f"has over {MOST_PAGES} pages"
                raise ApiError(f"{path}: the paging {why}; stopped")
            asked.add(query)

    def _page(self, path: str, query: str, decoder: Decoder | None, *, first: bool) -> Json:
        try:
            return self.get(path, query, decoder=decoder)
        except NotFound as error:
            if first:
                raise
            # Not "no data": there was some on the pages before.
            raise ApiError(f"a page after the first is missing: {error}") from None

    def _retried(self, error: type[ApiError], tries: int) -> Callable[[Attempt], Attempt]:
        return backoff.on_exception(
            _waits,
            error,
            max_tries=tries,
            jitter=_jitter,
            on_backoff=self._say_retry,
            logger=None,
        )

    def _next_query(self, path: str, link: object) -> str:
        own = urlsplit(self._base_url)
        try:
            url = urlsplit(link if isinstance(link, str) and "\\" not in link else "//")
            same_host = not url.netloc or _origin(url) == _origin(own)
        except ValueError:
            same_host = False
        collections = {prefix + path.removesuffix(".json") for prefix in ("", own.path)}
        same = same_host and url.path.removesuffix(".json") in collections
        if not same or not QUERY.fullmatch(url.query):
            raise ApiError(f"{path}: the link to the next page leads elsewhere; not followed")
        return url.query

    def _attempt(self, call: Call) -> Json:
        answer, auth = self._send(call)
        if answer.status == requests.codes.unauthorized and self._credentials.renew(auth):
            answer, _ = self._send(call)
        return self._read(call, answer)

    def _send(self, call: Call) -> tuple[Answer, AuthBase]:
        """Give the answer, and what signed the request: in its turn, for a token may expire."""
        with self._throttle.turn() as turn:
            auth = self._credentials.sign()
            answer = self._transport.send(call, auth)
            if answer.status < requests.codes.server_error:
                turn.was_accepted = answer.status != requests.codes.too_many_requests
            return answer, auth

    def _say_retry(self, details: Any) -> None:
        (call,) = details["args"]
        self._watch.retried_requests.append(f"{call}")
        self._logger.warning(
            "%s: %s; try %d after %.1f s",
            call,
            details["exception"],
            details["tries"] + 1,
            details["wait"],
        )

    def _read(self, call: Call, answer: Answer) -> Json:
        if answer.status != requests.codes.ok:
            raise self._refusal(call, answer)
        if call.decoder and answer.content.isascii():  # else: it does not check what it leaves out
            with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                return msgspec.structs.asdict(call.decoder.decode(answer.content))
        try:
            decoded = _decode(answer)
        except (ValueError, RecursionError):
            kind = self.mask.text(answer.headers.get("Content-Type", "no content type"))[:50]
            raise Transient(
                f"Twilio answered 200 with {kind!r}, {len(answer.content)} bytes, no JSON"
            ) from None
        if not isinstance(decoded, dict):
            raise ApiError(
                f"{call.name} answered with a JSON {type(decoded).__name__}, not with an object"
            )
        return decoded

    def _refusal(self, call: Call, answer: Answer) -> ApiError:
        """Give the error that an answer other than 200 is."""
        status, said = answer.status, _said(answer)
        code, told = said.get("code"), f"{status}{self._words(said)}"
        if status == requests.codes.too_many_requests or status >= 500:  # noqa: PLR2004
            return Transient(f"Twilio answered {told}", _retry_after(answer))
        if 300 <= status < 400:  # noqa: PLR2004
            return ApiError(
                f"{call.name} answered with a redirect ({status}), not followed; check "
                f"{self._setting}"
            )
        if status in {401, 403}:
            to_check = self._credentials.to_check
            return Denied(f"Twilio refused the credentials ({told}); check {to_check}", code)
        no_data = status == requests.codes.not_found and code == NO_DATA
        return (NotFound if no_data else ApiError)(f"{call.name} answered {told}", code)

    def _words(self, said: Json) -> str:
        """Give Twilio's code, message and link in one short line."""
        if not said:
            return ""
        told = (f"code {said['code']}", said.get("message"), said.get("more_info"))
        words = ", ".join(" ".join(part.split()) for part in told if part and isinstance(part, str))
        return f": {self.mask.text(words)[:200]}" if words.isprintable() else ""


def _origin(url: SplitResult) -> tuple[object, ...]:
    port = url.port or {"https": 443, "http": 80}.get(url.scheme)
    return url.scheme, url.hostname, port, url.username


def _decode(answer: Answer) -> Any:
    return json.loads(answer.content, parse_float=str, parse_int=str, parse_constant=str)


def _said(answer: Answer) -> Json:
    """Give Twilio's JSON of an error, which has a code; of any other body nothing."""
    try:
        body = _decode(answer)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) and isinstance(body.get("code"), str) else {}


def _retry_after(answer: Answer) -> float | None:
    """Read Retry-After in both its forms; None where there is none or it makes no sense."""
    text = answer.headers.get("Retry-After", "").strip()
    try:
        seconds = float(text) if text.isdecimal() else _seconds_until(text)
    except (ValueError, TypeError, OverflowError):
        return None
    if seconds > LONGEST_RETRY_AFTER:
        raise ApiError(
            f"Twilio asks to wait {seconds:.0f} s, longer than the {LONGEST_RETRY_AFTER:.0f} s "
            "that the tap waits; run it again later"
        )
    return max(0.0, seconds)


def _seconds_until(text: str) -> float:
    return (mail_date(text) - datetime.now(timezone.utc)).total_seconds()


def _waits() -> Generator[float, Exception, None]:
    """Give the seconds to wait: twice as long each time, and what Retry-After asks at least."""
    wait = FIRST_WAIT
    error = yield 0
    while True:
        asked = getattr(error, "retry_after", None)
        error = yield max(wait, asked or 0)
        wait = min(2 * wait, LONGEST_WAIT)


def _jitter(seconds: float) -> float:
    """Add up to a quarter, never less than what was asked for."""
    return seconds * random.uniform(1, 1.25)  # noqa: S311
