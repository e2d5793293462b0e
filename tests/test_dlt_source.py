"""The source for dlt in a pipeline of one's own, and its settings."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import AUTH_TOKEN, MAIN_SID, Server
from tap_twilio_usage.dlt.settings import Settings, resolve
from tap_twilio_usage.errors import SettingsError
from tap_twilio_usage.tap import TapTwilioUsage
from tests.conftest import ROOT, blocks, clean_environment
from tests.loading import in_duckdb

PAGE = ROOT / "docs" / "dlt.md"
(EXAMPLE,) = blocks(PAGE, "python")
TYPES = {
    "array": "list[str]",
    "boolean": "bool",
    "integer": "int",
    "object": "dict[str, Any]",
    "string": "str",
}


@pytest.fixture
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in {*clean_environment()} ^ {*dict(os.environ)}:
        monkeypatch.delenv(name)


def test_the_arguments_are_the_settings_of_the_tap() -> None:
    schema = {"properties": {**TapTwilioUsage.config_jsonschema["properties"]}}
    TapTwilioUsage.append_builtin_config(schema)
    described = {
        name: each for name, each in schema["properties"].items() if name != "batch_config"
    }
    found = {name: kind.__forward_arg__ for name, kind in Settings.__annotations__.items()}
    assert found.pop("connections") == "list[dict[str, str]]"
    del described["connections"]
    assert found == {
        name: TYPES[next(kind for kind in each["type"] if kind != "null")]
        for name, each in described.items()
    }


@pytest.mark.usefixtures("_no_settings")
def test_arguments_come_before_dlt_and_dlt_before_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, by_the_tap, by_dlt in (
        ("lookback_days", "1", "2"),
        ("page_size", "10", "20"),
        ("focus", "false", "true"),
        ("account_sids", '["AC1"]', '["AC2"]'),
    ):
        monkeypatch.setenv(f"TAP_TWILIO_USAGE_{name.upper()}", by_the_tap)
        monkeypatch.setenv(f"SOURCES__TWILIO_USAGE__{name.upper()}", by_dlt)
    monkeypatch.setenv("TAP_TWILIO_USAGE_SUBACCOUNTS", "separate")
    assert resolve({"page_size": 30}) == {
        "lookback_days": 2,
        "page_size": 30,
        "focus": True,
        "account_sids": ["AC2"],
        "subaccounts": "separate",
    }


@pytest.mark.usefixtures("_no_settings")
def test_a_variable_of_another_type_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAP_TWILIO_USAGE_LOOKBACK_DAYS", "many")
    with pytest.raises(
        SettingsError, match="TAP_TWILIO_USAGE_LOOKBACK_DAYS is not a valid integer"
    ):
        resolve({})


def python(code: str, folder: Path, server: Server) -> str:
    environment = {
        **clean_environment(),
        "DLT_DATA_DIR": f"{folder / 'dlt'}",
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "TWILIO_ACCOUNT_SID": MAIN_SID,
        "TAP_TWILIO_USAGE_API_URL": server.url,
        "TAP_TWILIO_USAGE_END_DATE": "2025-09-20",
        "SOURCES__TWILIO_USAGE__AUTH_TOKEN": AUTH_TOKEN,
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert AUTH_TOKEN not in done.stdout + done.stderr
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example_of_the_page_loads_and_resumes_without_its_folder(
    server: Server, tmp_path: Path
) -> None:
    log = python(EXAMPLE, tmp_path, server)
    assert "no failed jobs" in log
    query = in_duckdb(tmp_path / "twilio.duckdb")
    before = query("SELECT COUNT(*) FROM usage_records_daily")
    assert query("SELECT COUNT(*) > 1 FROM accounts") == [(True,)]
    assert query(
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'categories'"
    ) == [(0,)]
    (tmp_path / "dlt").rename(tmp_path / "lost")
    server.requests.clear()
    example = re.sub(r"subaccounts=", "lookback_days=5, subaccounts=", EXAMPLE)
    python(example, tmp_path, server)
    days = {
        request.query.get("StartDate")
        for request in server.requests
        if "Daily" in request.path and "Category" not in request.query
    }
    assert min(filter(None, days)) >= "2025-09-14"
    assert query("SELECT COUNT(*) FROM usage_records_daily") >= before


FAILS = """
import dlt
from tap_twilio_usage.dlt import twilio_usage

pipeline = dlt.pipeline("twilio", destination="duckdb", dataset_name="tap_twilio_usage")
source = twilio_usage(start_date="2025-09-01", auth_token="0" * 32)
try:
    pipeline.run(source)
except Exception as error:
    print(error)
print(pipeline.has_pending_data, pipeline.state.get("sources"))
"""


def test_a_failure_of_the_tap_fails_the_run_and_nothing_is_loaded(
    server: Server, tmp_path: Path
) -> None:
    said = python(FAILS, tmp_path, server)
    assert "Twilio refused the credentials" in said
    assert said.splitlines()[-1] == "False None"
