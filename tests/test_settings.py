"""Settings: what is refused, with which message, and what the environment adds."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tap_twilio_usage.config import dotenv_file
from tap_twilio_usage.config.schema import SCHEMA, SECRETS
from tap_twilio_usage.config.settings import Settings, Shard
from tap_twilio_usage.tap import TapTwilioUsage
from tests.conftest import Sync, config
from tests.http_server import serve
from tests.twilio import SID, TOKEN, account, between

DAYS = dict.fromkeys(between("2026-01-01", "2026-01-02"), {"calls": "1", "totalprice": "1"})
NOWHERE = "http://127.0.0.1:9"

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown setting": ({"pagesize": 5}, "pagesize: unknown setting; use page_size"),
    "a setting like none": ({"colour": "red"}, "colour: unknown setting; remove it"),
    "an unknown secret": ({"auth_tokn": "s3cret"}, "auth_tokn: unknown setting; use auth_token"),
    "a secret that is not a string": ({"auth_token": 123456789}, "auth_token: must be a string"),
    "a secret with a line end": ({"auth_token": "s3cret\n"}, "auth_token: contains whitespace"),
    "a secret beyond ASCII": (
        {"auth_token": "s3crét"},
        "auth_token: contains whitespace or a",
    ),
    "an account SID cut short": ({"account_sid": "AC12"}, "account_sid: must be AC followed by"),
    "a key as account SID": ({"account_sid": "SK" + "0" * 32}, "account_sid: must be AC"),
    "an API key SID": ({"api_key_sid": "s3cret"}, "api_key_sid: must be SK followed by 32 hex"),
    "another choice": ({"subaccounts": "all"}, "subaccounts: 'all' is not one of ['rolled_up'"),
    "accounts to choose from one": (
        {"account_sids": ["AC" + "1" * 32]},
        "account_sids: requires subaccounts: separate; set that, or remove account_sids",
    ),
    "accounts to choose from keys": (
        {
            "account_sid": "",
            "auth_token": "",
            "subaccounts": "separate",
            "exclude_account_sids": ["AC" + "1" * 32],
            "connections": [
                {"account_sid": SID, "api_key_sid": "SK" + "0" * 32, "api_key_secret": "s3cret"}
            ],
        },
        "exclude_account_sids: requires an Auth Token, which lists accounts; remove it",
    ),
    "an account SID of separate cut short": (
        {"account_sids": ["AC12"], "subaccounts": "separate"},
        "account_sids: SID 1, 'AC12', must be AC followed by 32 hex digits",
    ),
    "accounts that are not a list": ({"account_sids": {"sid": SID}}, "is not of type 'array'"),
    "a billing group ID that is not valid": (
        {"billing_group_ids": ["commerce_billingprofile_1", "s3cret"]},
        "billing_group_ids: ID 2 is not valid; use the form commerce_billingprofile_...",
    ),
    "a billing group with a path": (
        {"billing_group_ids": ["commerce_billingprofile_1/../s3cret"]},
        "billing_group_ids: ID 1 is not valid; use the form commerce_billingprofile_...",
    ),
    "billing groups that are not a list": (
        {"billing_group_ids": '["s3cret"'},
        "billing_group_ids: must be a list of strings",
    ),
    "a client secret with a space": (
        {"client_secret": "s3cret "},
        "client_secret: contains whitespace",
    ),
    "a token URL in plain http": ({"oauth_token_url": "http://x.com"}, "oauth_token_url: must"),
    "a billing URL in plain http": (
        {"billing_api_url": "http://x.com"},
        "billing_api_url: must",
    ),
    "a date in words": (
        {"start_date": "6 months ago"},
        "start_date: '6 months ago' is not",
    ),
    "a date that does not exist": (
        {"end_date": "2026-02-30"},
        "end_date: '2026-02-30' is not a valid date; use YYYY-MM-DD",
    ),
    "an hour": ({"start_date": "2026-01-01T12:00:00Z"}, "is not a valid date; use YYYY-MM-DD"),
    "days in reverse": ({"end_date": "2025-12-31"}, "start_date: 2026-01-01 is after end_date"),
    "a lookback below zero": ({"lookback_days": -1}, "lookback_days: -1 is less than the minimum"),
    "no concurrency": ({"max_concurrent_requests": 0}, "max_concurrent_requests: 0 is less"),
    "a page too large": ({"page_size": 1001}, "page_size: 1001 is greater than the maximum"),
    "a number as text": ({"page_size": "ten"}, "page_size: 'ten' is not of type 'integer'"),
    "a URL in plain http": ({"api_url": "http://api.twilio.com"}, "api_url: must use https"),
    "a private host": ({"api_url": "http://10.0.0.1"}, "api_url: must use https"),
    "a host like loopback": ({"api_url": "http://localhost.evil"}, "api_url: must use https"),
    "a URL with a password": (
        {"api_url": "https://u:s3cret@x.com"},
        "api_url: must not contain",
    ),
    "a URL without a scheme": ({"api_url": "twilio"}, "api_url: is not a URL; use one such as"),
    "a host that has ended": (
        {"api_url": "https://api.ie1.twilio.com"},
        "api_url: api.ie1.twilio.com ended on 2026-04-28, and the API of the Region US1 has the",
    ),
    "a host of another Region": (
        {"api_url": "https://api.dublin.ie1.twilio.com"},
        "api_url: api.dublin.ie1.twilio.com belongs to the Region IE1, and the API of",
    ),
    "a token URL of another Region": (
        {"oauth_token_url": "https://oauth.au1.twilio.com/v2/token"},
        "oauth_token_url: oauth.au1.twilio.com ended on 2026-04-28",
    ),
    "a token URL without a path": (
        {"oauth_token_url": "https://oauth.twilio.com"},
        "oauth_token_url: has no path; use https://oauth.twilio.com/v2/token",
    ),
    "another API of Twilio's": (
        {"api_url": "https://messaging.twilio.com"},
        "api_url: messaging.twilio.com has no usage records; use https://api.twilio.com",
    ),
    "a URL with a path": (
        {"api_url": "https://api.twilio.com/2010-04-01"},
        "api_url: must have no path; use https://api.twilio.com",
    ),
    "a billing URL with a path": (
        {"billing_api_url": "https://api.twilio.com/v2"},
        "billing_api_url: must have no path; use https://api.twilio.com",
    ),
    "a boolean that is neither": (
        {"focus": "maybe"},
        "focus: 'maybe' is not a boolean; use true or",
    ),
    "a broken URL": ({"api_url": "https://["}, "api_url: is not a URL; use one such as"),
    "a map of an unknown stream": (
        {"stream_maps": {"usage": {}}},
        "stream_maps: 'usage' is not a stream",
    ),
    "a map that does not parse": (
        {"stream_maps": {"categories": {"x": "1 +"}}},
        "stream_maps: Failed to parse expression 1 +.",
    ),
}


@pytest.mark.parametrize(("wrong", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_setting_is_refused_in_one_line(
    sync: Sync, wrong: dict[str, Any], message: str
) -> None:
    run = sync(config(NOWHERE, **wrong))
    assert run.code == 1
    (line,) = [line for line in run.log.splitlines() if "ERROR" in line]
    assert message in line
    assert "Traceback" not in run.log
    assert "s3cr" not in run.log
    assert "123456789" not in run.log


def test_every_wrong_setting_is_reported_on_its_own_line(sync: Sync) -> None:
    run = sync(config(NOWHERE, page_size=0, lookback_days="many"))
    assert run.log.count("ERROR") == 2


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ({"account_sid"}, "account_sid is missing"),
        ({"auth_token"}, "no credentials (there are none): set auth_token (TWILIO_AUTH_TOKEN)"),
    ],
)
def test_missing_credentials_are_named_before_any_request(
    sync: Sync, missing: set[str], message: str
) -> None:
    with serve(account(DAYS)) as server:
        run = sync({k: v for k, v in config(server.url).items() if k not in missing})
        assert not server.requests
    assert run.code == 1
    assert message in run.last_line


@pytest.mark.parametrize(
    ("half", "message"),
    [
        ({"api_key_sid": "SK" + "0" * 32}, "api_key_secret is missing"),
        ({"api_key_secret": "x"}, "api_key_sid is missing"),
    ],
)
def test_the_missing_half_of_an_api_key_is_named(
    sync: Sync, half: dict[str, str], message: str
) -> None:
    settings = config(NOWHERE, **half)
    del settings["auth_token"]
    assert message in sync(settings).last_line


def test_a_start_date_at_midnight_is_a_date(sync: Sync) -> None:
    with serve(account(DAYS)) as server:
        run = sync(config(server.url, start_date="2026-01-01T00:00:00Z", end_date="2026-01-02"))
    assert (run.code, len(run.records())) == (0, 4)


@pytest.mark.parametrize("name", ["TWILIO_ACCOUNT_SID", "TWILIO_SID"])
def test_the_variables_of_twilios_tools_fill_in_missing_settings(sync: Sync, name: str) -> None:
    with serve(account(DAYS)) as server:
        settings = config(server.url, end_date="2026-01-02", account_sid="", auth_token=None)
        run = sync(settings, env={name: SID, "TWILIO_AUTH_TOKEN": TOKEN})
    assert (run.code, len(run.records())) == (0, 4)


def test_an_api_key_in_the_environment_works(sync: Sync) -> None:
    with serve(account(DAYS, created=None)) as server:
        settings = config(server.url, end_date="2026-01-02")
        del settings["auth_token"]
        env = {"TWILIO_API_KEY": "SK" + "1" * 32, "TWILIO_API_SECRET": "key-secret"}
        assert sync(settings, env=env).code == 0


def test_half_an_api_key_can_come_from_the_environment(sync: Sync) -> None:
    with serve(account(DAYS, created=None)) as server:
        settings = config(server.url, end_date="2026-01-02", api_key_sid="SK" + "1" * 32)
        del settings["auth_token"]
        assert sync(settings, env={"TWILIO_API_SECRET": "key-secret"}).code == 0


def test_the_environment_never_overrides_or_mixes_with_the_settings(sync: Sync) -> None:
    env = {"TWILIO_ACCOUNT_SID": "AC" + "9" * 32, "TWILIO_AUTH_TOKEN": "of-another-account"}
    with serve(account(DAYS)) as server:
        assert sync(config(server.url, end_date="2026-01-02"), env=env).code == 0
        signatures = {r.headers["Authorization"] for r in server.requests}
        settings = config(server.url, api_key_sid="SK" + "1" * 32)
        del settings["auth_token"]
        assert "api_key_secret is missing" in sync(settings, env=env).last_line
    assert len(signatures) == 1


@pytest.mark.parametrize("options", [(), ("--config=ENV",)])
def test_the_whole_configuration_can_come_from_the_environment(
    options: tuple[str, ...], sync: Sync
) -> None:
    with serve(account(DAYS)) as server:
        settings = config(server.url, end_date="2026-01-02", page_size=500)
        env = {f"TAP_TWILIO_USAGE_{k.upper()}": str(v) for k, v in settings.items()}
        run = sync(None, *options, env=env)
    assert (run.code, len(run.records())) == (0, 4)
    assert {r.query["PageSize"] for r in server.requests if r.query} == {"500"}


def test_booleans_and_lists_may_be_text(sync: Sync) -> None:
    """As Meltano passes on what is in the environment."""
    env = {
        "TAP_TWILIO_USAGE_FOCUS": "Yes",
        "TAP_TWILIO_USAGE_ACCOUNT_SIDS": f" {SID}, {'AC' + '2' * 32},",
        "TAP_TWILIO_USAGE_EXCLUDE_ACCOUNT_SIDS": f'["{"AC" + "3" * 32}"]',
        "TAP_TWILIO_USAGE_BILLING_GROUP_IDS": "commerce_billingprofile_1",
        "TAP_TWILIO_USAGE_SKIP_UNUSED_CATEGORIES": "0",
    }
    given = TapTwilioUsage(
        config={
            "subaccounts": "separate",
            "account_sid": SID,
            **{name.removeprefix("TAP_TWILIO_USAGE_").lower(): text for name, text in env.items()},
        }
    ).settings
    assert (given.focus, given.skip_unused_categories) == (True, False)
    assert given.account_sids == (SID, "AC" + "2" * 32)
    assert given.exclude_account_sids == ("AC" + "3" * 32,)
    assert given.billing_group_ids == ("commerce_billingprofile_1",)
    run = sync({"subaccounts": "separate"}, "--config=ENV", "--discover", env=env)
    assert run.code == 0
    assert "billing_group_records" in {each["tap_stream_id"] for each in run.catalog["streams"]}


@pytest.mark.parametrize("name", ["FOCUS", "FLATTENING_ENABLED"])
def test_a_boolean_in_the_environment_that_is_neither_is_refused(sync: Sync, name: str) -> None:
    run = sync(config(NOWHERE), "--config=ENV", env={f"TAP_TWILIO_USAGE_{name}": "maybe"})
    assert run.code == 1
    assert run.last_line.endswith(f"{name.lower()}: 'maybe' is not a boolean; use true or false")


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [("PAGE_SIZE", "ten", "integer"), ("STREAM_MAPS", "{x", "object")],
)
def test_an_environment_variable_of_another_type_is_refused_in_one_line(
    sync: Sync, name: str, text: str, kind: str
) -> None:
    run = sync(config(NOWHERE), "--config=ENV", env={f"TAP_TWILIO_USAGE_{name}": text})
    assert run.code == 1
    assert "Traceback" not in run.log
    variable = f"TAP_TWILIO_USAGE_{name}"
    assert run.last_line.endswith(
        f"{name.lower()}: the environment variable {variable} is not a valid {kind}; use JSON"
    )


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "[" * 100_000])
@pytest.mark.parametrize("option", ["config", "state", "catalog"])
def test_a_file_that_is_not_a_json_object_is_refused_in_one_line(
    sync: Sync, option: str, text: str
) -> None:
    files: dict[str, Any] = {"state": None, "catalog": None, option: text}
    settings = text if option == "config" else config(NOWHERE)
    files.pop("config", None)
    run = sync(settings, **files)
    assert run.code != 0
    assert "Traceback" not in run.log
    assert f"--{option}" in run.last_line


def test_no_warning_of_a_file_left_open_comes_after_the_last_line(
    installed_command: Sync, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text('{"account_sid": "AC1"}')
    (tmp_path / "state.json").write_text("{}")
    options = ("--config", "config.json", "--state", "state.json", "--test")  # as Meltano does
    run = installed_command(None, *options, env={"PYTHONWARNINGS": "always"})
    assert "account_sid: must be AC" in run.log.splitlines()[-1]


STREAM = {"tap_stream_id": "categories", "schema": {"properties": {"category": {}}}}


@pytest.mark.parametrize(
    "streams",
    [
        [{}],
        [5],
        [{**STREAM, "schema": {}}],
        [{**STREAM, "schema": {"properties": {"category": 5}}}],
        [{**STREAM, "metadata": 5}],
        [{**STREAM, "metadata": [5]}],
        [{**STREAM, "metadata": [{}]}],
        [{**STREAM, "replication_key": 5}],
    ],
)
def test_a_file_that_is_not_a_catalog_is_refused_in_one_line(sync: Sync, streams: Any) -> None:
    run = sync(config(NOWHERE), catalog={"streams": streams})
    assert run.code == 1
    assert "Traceback" not in run.log
    assert "is not a catalog; use the output of --discover" in run.last_line


def test_a_state_that_is_not_text_is_refused_in_one_line(sync: Sync, tmp_path: Path) -> None:
    path = tmp_path / "binary"
    path.write_bytes(b"\xff\xfe{}")
    run = sync(config(NOWHERE), "--state", str(path))
    assert run.code == 1
    assert "Traceback" not in run.log
    assert "does not contain a JSON object" in run.last_line


def test_a_url_may_end_with_a_slash(sync: Sync) -> None:
    with serve(account(DAYS)) as server:
        assert sync(config(server.url + "/", end_date="2026-01-02")).code == 0
        assert all(request.path.startswith("/2010-04-01/") for request in server.requests)


def test_a_missing_file_is_reported_in_one_line(sync: Sync) -> None:
    run = sync(None, "--config", "nowhere.json")
    assert run.code != 0
    assert "Traceback" not in run.log
    assert "nowhere.json" in run.last_line


def test_settings_show_no_secret_and_cannot_be_changed() -> None:
    given = config(NOWHERE, billing_group_ids=["commerce_billingprofile_1"] * 2, client_secret="x")
    defaults = {name: schema.get("default") for name, schema in SCHEMA["properties"].items()}
    settings = Settings.from_config({**defaults, **given, "shard": "2/8"})
    assert settings.billing_group_ids == ("commerce_billingprofile_1",)
    assert (settings.account_sids, settings.shard) == ((), Shard(2, 8))
    assert (settings.start_date, settings.end_date) == (date(2026, 1, 1), date(2026, 1, 31))
    for secret in ("commerce_billingprofile_1", TOKEN, "client_secret"):
        assert secret not in repr(settings)
    with pytest.raises(FrozenInstanceError):
        settings.page_size = 1  # type: ignore[misc]


def test_the_days_to_load_depend_on_the_day_that_is_passed_in() -> None:
    defaults = {name: schema.get("default") for name, schema in SCHEMA["properties"].items()}
    open_ended = Settings.from_config(defaults)
    assert open_ended.first_day(date(2026, 3, 15)) == date(2025, 9, 1)
    assert open_ended.last_day(date(2026, 3, 15)) == date(2026, 3, 15)
    bounded = Settings.from_config(
        {**defaults, "start_date": "2026-01-05", "end_date": "2026-02-01"}
    )
    assert bounded.first_day(date(2026, 3, 15)) == date(2026, 1, 5)
    assert bounded.last_day(date(2026, 3, 15)) == date(2026, 2, 1)
    assert bounded.last_day(date(2026, 1, 7)) == date(2026, 1, 7)


def test_the_settings_are_typed_without_the_sdk() -> None:
    code = "import sys, tap_twilio_usage.config.settings; print('singer_sdk' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_secrets_are_marked_and_everything_is_described() -> None:
    properties = SCHEMA["properties"]
    secrets = {
        *("auth_token", "api_key_secret", "account_client_secret", "client_secret"),
        *("billing_group_ids", "connections"),
    }
    assert {name for name, schema in properties.items() if schema.get("writeOnly")} == secrets
    assert set(SECRETS) == secrets
    assert all(schema["description"] for schema in properties.values())


def test_discovery_says_which_setting_is_wrong(sync: Sync) -> None:
    run = sync({"lookback_days": -3}, "--discover")
    assert (run.code, run.messages) == (1, [])
    assert run.last_line.endswith("lookback_days: -3 is less than the minimum of 0")
    assert "Traceback" not in run.log


@pytest.mark.parametrize(
    ("exported", "file", "expected"),
    [
        ({}, {"TWILIO_AUTH_TOKEN": "f"}, {"TWILIO_AUTH_TOKEN": "f"}),
        ({"TWILIO_AUTH_TOKEN": "e"}, {"TWILIO_AUTH_TOKEN": "f"}, {}),
        ({"TWILIO_AUTH_TOKEN": "e"}, {"TAP_AUTH_TOKEN": "f"}, {}),
        ({"TAP_AUTH_TOKEN": "e"}, {"TWILIO_AUTH_TOKEN": "f"}, {}),
        ({"TWILIO_SID": "e"}, {"TWILIO_ACCOUNT_SID": "f", "TAP_ACCOUNT_SID": "f"}, {}),
        ({"TWILIO_API_KEY": "e"}, {"TWILIO_AUTH_TOKEN": "f"}, {}),
        ({"TWILIO_API_KEY": "e"}, {"TWILIO_API_SECRET": "f"}, {"TWILIO_API_SECRET": "f"}),
        ({"TWILIO_AUTH_TOKEN": "e"}, {"TAP_ACCOUNT_CLIENT_ID": "f", "X": "f"}, {"X": "f"}),
        ({"TWILIO_AUTH_TOKEN": ""}, {"TWILIO_AUTH_TOKEN": "f"}, {}),
    ],
)
def test_what_is_exported_wins_whatever_its_name(
    tmp_path: Path, exported: dict[str, str], file: dict[str, str], expected: dict[str, str]
) -> None:
    (path := tmp_path / ".env").write_text("".join(f"{k}={v}\n" for k, v in file.items()))
    found = {**exported}
    dotenv_file.load(f"{path}", "TAP_", found)
    assert found == {**expected, **exported}


def test_an_env_file_that_is_not_text_is_one_line(installed_command: Sync, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"TWILIO_AUTH_TOKEN=\xff\xfe")
    run = installed_command(None, "--config=ENV", "--discover")
    assert run.code == 1
    assert run.last_line.endswith(".env: is not text in UTF-8; save it again")
    assert "Traceback" not in run.log


def test_only_the_env_file_of_the_working_folder_is_read_and_what_is_exported_wins(
    installed_command: Sync, tmp_path: Path
) -> None:
    """The SDK would search the folders above its own, and override what is exported."""
    (tmp_path / ".env").write_text(
        f"TWILIO_ACCOUNT_SID={SID}\nTWILIO_AUTH_TOKEN=token\nTAP_TWILIO_USAGE_PAGE_SIZE=-7\n"
    )
    exported = {"TAP_TWILIO_USAGE_LOOKBACK_DAYS": "-3"}
    lookback = "lookback_days: -3 is less than the minimum of"
    page = "page_size: -7 is less than the minimum of"

    def said() -> str:
        return installed_command(None, "--config=ENV", "--discover", env=exported).log

    assert page in (log := said())
    assert lookback in log
    exported["TAP_TWILIO_USAGE_PAGE_SIZE"] = "5"
    assert page not in (log := said())
    assert lookback in log
    del exported["TAP_TWILIO_USAGE_PAGE_SIZE"]
    above = (tmp_path / ".env").rename(tmp_path.parent / ".env")
    try:
        assert page not in said()
    finally:
        above.unlink()
