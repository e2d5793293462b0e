"""Secrets and the log: each form of a secret is redacted, whichever logger writes it."""

from __future__ import annotations

import json
import logging
import re
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from singer_sdk.logging import ConsoleFormatter, StructuredFormatter

from tap_twilio_usage.logs.redaction import Redactor

SECRET = 'canary+auth/token=5d2f&"%\\~'
FORMS = {
    "as it is": SECRET,
    "in a URL": quote(SECRET, safe=""),
    "in a URL's path": quote(SECRET),
    "in a query": quote_plus(SECRET),
    "in a URL of SQLAlchemy": quote(SECRET, safe=" +"),
    "with lower-case digits": re.sub("%..", lambda code: code[0].lower(), quote(SECRET, safe="")),
    "in JSON": json.dumps(SECRET),
    "in Python": repr(SECRET),
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS.keys())
def test_a_secret_is_redacted_however_it_is_quoted(text: str) -> None:
    redacted = Redactor([SECRET]).text(f"before {text} after")
    assert redacted.replace('"', "").replace("'", "") == "before *** after"


@given(before=st.binary(max_size=40), after=st.binary(max_size=40))
def test_a_secret_is_redacted_in_base64_at_any_position(before: bytes, after: bytes) -> None:
    text = before + SECRET.encode() + after
    for encode in (b64encode, urlsafe_b64encode):
        redacted = Redactor([SECRET]).text(encode(text).decode())
        kept = len(encode(before)) + len(encode(after)) + len("***")
        assert "***" in redacted
        assert len(redacted) <= kept + 4


@pytest.mark.parametrize("formatter", [ConsoleFormatter(), StructuredFormatter(), None])
def test_a_traceback_of_any_logger_is_redacted(formatter: logging.Formatter | None) -> None:
    lines: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler, logger = Lines(), logging.getLogger("a.library")
    handler.setFormatter(formatter)
    logger.addHandler(handler)
    try:
        Redactor([SECRET]).install()
        try:
            int(SECRET)
        except ValueError:
            logger.exception("with %s", SECRET)
    finally:
        logger.removeHandler(handler)
    assert "ValueError" in lines[0]
    assert lines[0].count("***") >= 2
    assert "canary" not in lines[0]


def test_a_text_that_is_too_short_for_a_secret_is_not_redacted() -> None:
    assert Redactor(["usage"]).text("usage records") == "usage records"
