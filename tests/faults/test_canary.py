"""Case 27: secrets, which no output of the tap may contain in any form.

That holds for every run in this folder (`Lab.run`, at DEBUG). Here are the servers that say the
secrets themselves, and what the tap says without one.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from tests.canary import leaks
from tests.conftest import Run, Sync, clean_environment, config, nightly
from tests.faults.conftest import catalog
from tests.forked import Overrides
from tests.http_server import Answer, Request, serve
from tests.twilio import SID, TOKEN, account, page, record

KEY_SECRET = "canary+key/secret=7a1c&%7E"
CLIENT_SECRET = "canary+client/secret=3b9e&%7E"
ACCESS_TOKEN = "canary+access/token=9d4f~"
GROUP_ID = "commerce_billingprofile_canary8e2b"
SECRETS = (TOKEN, KEY_SECRET, CLIENT_SECRET, ACCESS_TOKEN)


def echo(*secrets: str) -> str:
    """Return the secrets in many forms."""
    forms = (
        (
            secret,
            quote(secret, safe=""),
            re.sub("%..", lambda code: code[0].lower(), quote_plus(secret)),
            json.dumps(secret),
            f"Basic {b64encode(f'{SID}:{secret}'.encode()).decode()}",
            b64encode(secret.encode()).decode(),
        )
        for secret in secrets
    )
    return " ".join(each for form in zip(*forms, strict=True) for each in form)


DAYS = {"2026-01-01": {"calls": "1", "totalprice": "1"}}


def settings(url: str, **more: Any) -> dict[str, Any]:
    return {
        **config(url, end_date="2026-01-01"),
        "api_key_sid": f"SK{0:032}",
        "api_key_secret": KEY_SECRET,
        "client_id": "OQ1",
        "client_secret": CLIENT_SECRET,
        "billing_group_ids": [GROUP_ID],
        "billing_api_url": url,
        "oauth_token_url": f"{url}/v2/token",
        **more,
    }


def quiet(run: Run) -> bool:
    return leaks(run.log, (*SECRETS, GROUP_ID)) == leaks(run.out, SECRETS) == []


# Output of a server.

SAYS: dict[str, Callable[[str], Answer]] = {
    "the message of a 400": lambda text: Answer.error(400, 20001, text),
    "the message of a 401": lambda text: Answer.error(401, 20003, text),
    "the message of a 403": lambda text: Answer.error(403, 20003, text),
    "the message of a 404": lambda text: Answer.error(404, 20404, text),
    "the message of a 429": lambda text: Answer.error(429, 20429, text),
    "the message of a 500": lambda text: Answer.error(500, 20500, text),
    "an unreasonable Retry-After": lambda text: Answer.error(429, 1, text, Retry_After="99999"),
    "a Retry-After": lambda text: Answer.error(429, 20429, "", Retry_After=text),
    "a page of a 502": lambda text: Answer(text.encode(), 502, {"Content-Type": "text/html"}),
    "JSON that is cut off": lambda text: Answer(f'{{"usage_records": ["{text}'.encode()),
    "a Content-Type": lambda text: Answer(b"?", headers={"Content-Type": text}),
    "a Location": lambda text: Answer(b"", 302, {"Location": f"http://127.0.0.1:1/?{text}"}),
    "a Location as it is": lambda text: Answer(b"", 302, {"Location": text}),
    "a link": lambda text: linked(f"http://127.0.0.1:1/?{text}"),
    "a plain link": lambda text: linked(text),  # noqa: PLW0108  (defined below)
    "another type": lambda text: Answer.json([text]),
    "a key": lambda text: Answer.json({text: text, "records": text, "meta": text}),
    "a number": lambda text: Answer.json(page([record("calls", text)])),
    "a date": lambda text: Answer.json(page([record("calls", "1", text)])),
}
KNOWN = (TOKEN, KEY_SECRET, CLIENT_SECRET)


def linked(link: str) -> Answer:
    rows: dict[str, list[Any]] = {"usage_records": [], "accounts": [], "usage_triggers": []}
    return Answer.json({**rows, "next_page_uri": link})


@pytest.mark.parametrize("place", SAYS)
@pytest.mark.parametrize(
    ("endpoint", "stream", "level"),
    [
        nightly("Daily", "usage_records_daily", "INFO"),
        ("Daily", "usage_records_daily", "DEBUG"),
        nightly("AllTime", "categories", "DEBUG"),
        nightly("Accounts", "accounts", "DEBUG"),
        nightly("Triggers", "usage_triggers", "DEBUG"),
        nightly("/Records", "billing_group_records", "DEBUG"),
        ("token", "billing_group_records", "DEBUG"),
    ],
)
def test_secrets_that_a_server_repeats_are_not_logged(
    sync: Sync, endpoint: str, stream: str, level: str, place: str
) -> None:
    good = account(DAYS)
    knows_the_token = endpoint == "/Records"
    said = echo(*KNOWN, *([ACCESS_TOKEN] if knows_the_token else []))

    def answer(request: Request) -> Answer:
        if request.path.removesuffix(".json").endswith(endpoint):
            return SAYS[place](said)
        if request.path.endswith("/v2/token"):
            return Answer.json({"access_token": ACCESS_TOKEN, "expires_in": 3600})
        return good(request)

    with serve(answer) as server:
        run = sync(
            settings(server.url),
            catalog=catalog(stream),
            env={"TAP_TWILIO_USAGE_LOGLEVEL": level},
            overrides=Overrides(1000, {"tries": 2, "tries_when_denied": 2}),
        )
    assert "Traceback" not in run.log
    assert quiet(run)


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
@pytest.mark.parametrize("wrong", ["day", "currency"])
def test_secrets_in_names_are_not_logged(sync: Sync, wrong: str, level: str) -> None:
    good = account(DAYS)
    rows = {
        "day": [record(TOKEN, "1", "2020-01-01")],
        "currency": [record(TOKEN, "1"), record(TOKEN, "1", price_unit="eur")],
    }[wrong]

    def answer(request: Request) -> Answer:
        is_daily = request.path.endswith("Daily.json")
        return Answer.json(page(rows)) if is_daily else good(request)

    with serve(answer) as server:
        run = sync(
            settings(server.url),
            catalog=catalog("usage_records_daily"),
            env={"TAP_TWILIO_USAGE_LOGLEVEL": level},
        )
    assert run.code == 1
    assert "category '***'" in run.last_line
    assert quiet(run)


@pytest.mark.parametrize(
    ("source", "stream"),
    [
        ("accounts", "accounts"),
        ("usage_triggers", "usage_triggers"),
        ("usage_records_daily", "focus_cost_and_usage"),
    ],
)
def test_secrets_in_names_and_urls_are_not_loaded(sync: Sync, source: str, stream: str) -> None:
    good = account(DAYS)
    created = {"date_created": "Thu, 01 Jan 2026 00:00:00 +0000", "friendly_name": f"A {TOKEN}"}
    hook = f"https://me:{quote(TOKEN, safe='')}@example.com/"
    trigger = {"account_sid": SID, "sid": "UT1", "callback_url": hook}
    answers = {
        SID: {"sid": SID, **created},
        "Accounts": {"accounts": [{"sid": SID, **created}], "next_page_uri": None},
        "Triggers": {"usage_triggers": [trigger], "next_page_uri": None},
    }

    def answer(request: Request) -> Answer:
        kind = request.path.rpartition("/")[2].removesuffix(".json")
        return Answer.json(answers[kind]) if kind in answers else good(request)

    with serve(answer) as server:
        run = sync(settings(server.url, focus=True), catalog=catalog(source))
    assert run.code == 0
    field, value = {
        "accounts": ("friendly_name", "A ***"),
        "usage_triggers": ("callback_url", "https://me:***@example.com/"),
        "focus_cost_and_usage": ("BillingAccountName", "A ***"),
    }[stream]
    assert {row[field] for row in run.records(stream)} == {value}
    assert quiet(run)


def test_the_echo_contains_every_secret() -> None:
    assert leaks(echo(*SECRETS), SECRETS) == list(SECRETS)


# Output of the tap.


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
@pytest.mark.parametrize(
    "options",
    [
        ["--about"],
        ["--about", "--format=json"],
        ["--about", "--format=markdown"],
        ["--discover"],
        ["--test"],
        ["--test=schema"],
        [],
    ],
    ids=" ".join,
)
def test_no_command_prints_a_secret(sync: Sync, options: list[str], level: str) -> None:
    with serve(account(DAYS)) as server:
        for auth_token in (TOKEN, ""):
            given = settings(server.url, auth_token=auth_token)
            run = sync(given, *options, env={"TAP_TWILIO_USAGE_LOGLEVEL": level})
            assert quiet(run)


@pytest.mark.parametrize("name", ["auth_token", "api_key_secret", "client_secret"])
@pytest.mark.parametrize(
    "value",
    [f"{TOKEN} {KEY_SECRET}", [TOKEN], {"a": TOKEN}, f"{TOKEN}\n", f"{TOKEN}\ud800"],
    ids=["a blank", "a list", "an object", "a new line", "half a character"],
)
def test_an_invalid_secret_is_not_printed(sync: Sync, name: str, value: Any) -> None:
    run = sync(settings("http://127.0.0.1:1", **{name: value}), env=DEBUG)
    assert run.code == 1
    assert f"{name}: " in run.last_line
    assert quiet(run)


DEBUG = {"TAP_TWILIO_USAGE_LOGLEVEL": "DEBUG"}

STRUCTURED = """
version: 1
disable_existing_loggers: false
formatters: {json: {(): singer_sdk.logging.StructuredFormatter}}
handlers: {all: {class: logging.StreamHandler, formatter: json, stream: ext://sys.stderr}}
root: {level: DEBUG, handlers: [all]}
loggers: {urllib3: {level: DEBUG, propagate: false, handlers: [all]}}
"""

A_BUG = """
from tap_twilio_usage.twilio.usage_records import Account
from tap_twilio_usage.tap import TapTwilioUsage

def fetch_usage(self, *_):
    raise RuntimeError(f"a bug that knows {self._client._credentials.sign().password!r}")

Account.fetch_usage = fetch_usage
TapTwilioUsage.cli()
"""


@pytest.mark.parametrize("log_config", [None, STRUCTURED], ids=["console", "JSON"])
def test_the_traceback_of_a_bug_contains_no_secret(tmp_path: Path, log_config: str | None) -> None:
    env = {**clean_environment(), **DEBUG}
    if log_config:
        (tmp_path / "log.yml").write_text(log_config)
        env["SINGER_SDK_LOG_CONFIG"] = str(tmp_path / "log.yml")
    with serve(account(DAYS)) as server:
        (tmp_path / "config.json").write_text(json.dumps(config(server.url)))
        run = subprocess.run(
            [sys.executable, "-c", A_BUG, "--config", tmp_path / "config.json"],
            capture_output=True,
            text=True,
            check=False,
            env=env,
        )
    assert run.returncode == 1
    assert "RuntimeError" in run.stderr
    assert re.search(r"a bug that knows '?\*\*\*", run.stderr)
    assert leaks(run.stderr + run.stdout, SECRETS) == []
