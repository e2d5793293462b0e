"""What a response says: its JSON, or the error that it stands for."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec
import requests

from tap_twilio_usage.logs.redaction import Redactor
from tap_twilio_usage.twilio.errors import (
    ApiError,
    Denied,
    InvalidResponseError,
    NotFound,
    Transient,
)
from tap_twilio_usage.twilio.limits import Limits
from tap_twilio_usage.twilio.retry import retry_after
from tap_twilio_usage.twilio.transport import Json, Request, Response

NO_DATA = "20404"  # Twilio's error code for a resource that does not exist
LONGEST_DETAILS = 200  # characters


def read(request: Request, response: Response, redactor: Redactor) -> Json:
    """Return the JSON object of a response that says success; its numbers are left as text.

    Raises Transient if the body is not JSON, InvalidResponseError if it is not an object.
    """
    if request.decoder and response.content.isascii():  # it does not check text that it skips
        with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return msgspec.structs.asdict(request.decoder.decode(response.content))
    try:
        value = _decode(response)
    except (ValueError, RecursionError):
        kind = redactor.text(response.headers.get("Content-Type", "no content type"))[:50]
        size = len(response.content)
        raise Transient(
            f"Twilio answered {response.status}, but the body ({kind!r}, {size:,} bytes) is not "
            "JSON"
        ) from None
    if not isinstance(value, dict):
        raise InvalidResponseError(
            f"{request.name} answered with a JSON {type(value).__name__} instead of an object"
        )
    return value


def error_of(  # noqa: PLR0913  (each is one thing, passed by name)
    request: Request,
    response: Response,
    *,
    redactor: Redactor,
    limits: Limits,
    url_setting: str,
    credential_settings: str,
) -> ApiError:
    """Return the error that a response with any other status stands for.

    The settings are those to check if the URL or the credentials are wrong.
    """
    status, body = response.status, _error_body(response)
    code, summary = body.get("code"), f"{status}{_details(body, redactor)}"
    if status == requests.codes.too_many_requests or status >= requests.codes.server_error:
        wait = retry_after(response.headers, limits)
        return Transient(f"Twilio answered {summary}", wait)
    if requests.codes.multiple_choices <= status < requests.codes.bad_request:
        return ApiError(
            f"{request.name} answered with a redirect ({status}), not followed; check {url_setting}"
        )
    if status in {requests.codes.unauthorized, requests.codes.forbidden}:
        return Denied(
            f"Twilio refused the credentials ({summary}); check {credential_settings}", code, status
        )
    if status == requests.codes.not_found and code == NO_DATA:
        return NotFound(f"{request.name} answered {summary}", code, status)
    return ApiError(f"{request.name} answered {summary}", code, status)


def _decode(response: Response) -> Any:
    return json.loads(response.content, parse_float=str, parse_int=str, parse_constant=str)


def _error_body(response: Response) -> Json:
    """Return Twilio's JSON of an error, which has a code; an empty object for any other body."""
    try:
        body = _decode(response)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) and isinstance(body.get("code"), str) else {}


def _details(body: Json, redactor: Redactor) -> str:
    """Return Twilio's code, message and link in one short line, for the end of a sentence."""
    if not body:
        return ""
    parts = (f"code {body['code']}", body.get("message"), body.get("more_info"))
    texts = (" ".join(part.split()) for part in parts if part and isinstance(part, str))
    details = ", ".join(texts)
    return f": {redactor.text(details)[:LONGEST_DETAILS]}" if details.isprintable() else ""
