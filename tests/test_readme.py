"""The reference, meltano.yml, the Hub definition and .secrets.example match the tap.

The demo is run, and at night as written.
"""

from __future__ import annotations

import fnmatch
import json
import re
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from tap_twilio_usage.report.wording import exact
from tap_twilio_usage.tap import TapTwilioUsage
from tests.conftest import (
    PYTHONS,
    ROOT,
    Sync,
    clean_environment,
    copy_project,
    discovered,
)

README = (ROOT / "README.md").read_text()
REFERENCE = (ROOT / "docs" / "reference.md").read_text()
MELTANO = yaml.safe_load((ROOT / "meltano.yml").read_text())
EXTRACTOR = MELTANO["plugins"]["extractors"][0]
NAMES_OF_TWILIOS_TOOLS = {
    "account_sid": "TWILIO_ACCOUNT_SID",
    "auth_token": "TWILIO_AUTH_TOKEN",
    "api_key_sid": "TWILIO_API_KEY",
    "api_key_secret": "TWILIO_API_SECRET",
}


def rows_of(table: str) -> list[list[str]]:
    """Return the cells of the first table under a heading, without its header."""
    section = REFERENCE.split(f"\n## {table}\n")[1].split("\n## ")[0]
    lines = re.search(r"(^\|.*\n)+", section, re.MULTILINE)[0].splitlines()  # type: ignore[index]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def kind(schema: dict[str, Any]) -> str:
    if schema.get("writeOnly"):
        return "secret"
    if schema.get("enum"):
        return " / ".join(f"`{choice}`" for choice in schema["enum"] if choice)
    (name,) = set(schema["type"]) - {"null"}
    return str(schema.get("format", name))


def default(schema: dict[str, Any]) -> str:
    value = schema.get("default")
    return "" if value is None else f"`{value if isinstance(value, str) else json.dumps(value)}`"


def about(sync: Sync) -> dict[str, Any]:
    run = sync(None, "--about", "--format=json")
    assert run.code == 0
    found: dict[str, Any] = run.catalog["settings"]["properties"]
    return found


BUILTIN = {
    "stream_maps",
    "stream_map_config",
    "faker_config",
    "flattening_enabled",
    "flattening_max_depth",
    "flattening_max_key_length",
    "flattening_separator",
    "batch_config",
}


def test_the_settings_table_matches_about(sync: Sync) -> None:
    said = {name: schema for name, schema in about(sync).items() if name not in BUILTIN}
    assert rows_of("Settings") == [
        [f"`{name}`", kind(schema), default(schema), schema["description"]]
        for name, schema in said.items()
    ]


def test_the_streams_table_matches_discovery(sync: Sync) -> None:
    streams = discovered(sync)
    assert rows_of("Streams") == [
        [
            f"`{stream['tap_stream_id']}`",
            ", ".join(f"`{key}`" for key in stream["key_properties"]),
            stream["replication_method"].lower().replace("_", " ")
            + (f" on `{key}`" if (key := stream.get("replication_key")) else ""),
            "yes" if stream["metadata"][-1]["metadata"]["selected-by-default"] else "no",
        ]
        for stream in streams
    ]


def test_the_extractor_has_every_setting_and_no_other(sync: Sync) -> None:
    said = about(sync)
    settings = {setting["name"]: setting for setting in EXTRACTOR["settings"]}
    assert settings.keys() == said.keys()
    secrets = {name for name, schema in said.items() if schema.get("writeOnly")}
    assert {name for name, setting in settings.items() if setting.get("sensitive")} == secrets
    assert all(setting["description"] and setting["kind"] for setting in settings.values())
    choices = {o["value"] for o in settings["subaccounts"]["options"]}
    assert choices == {choice for choice in said["subaccounts"]["enum"] if choice}
    assert set(EXTRACTOR["capabilities"]) == {c.value for c in TapTwilioUsage.capabilities}
    named = {name: setting["env"] for name, setting in settings.items() if "env" in setting}
    assert named == NAMES_OF_TWILIOS_TOOLS


def test_the_hub_definition_matches_the_extractor() -> None:
    hub = yaml.safe_load((ROOT / "hub" / "tap-twilio-usage.yml").read_text())
    for same in ("name", "namespace", "executable", "capabilities", "select"):
        assert hub[same] == EXTRACTOR[same]
    assert hub["settings"] == sorted(EXTRACTOR["settings"], key=lambda setting: setting["name"])
    for group in hub["settings_group_validation"]:
        assert {*group} <= {setting["name"] for setting in hub["settings"]}
    assert hub["supported_python_versions"] == PYTHONS
    assert list(hub) == sorted(hub)  # the Hub requires it


def test_the_extractor_selects_the_default_streams(sync: Sync) -> None:
    patterns = [pattern.removesuffix(".*") for pattern in EXTRACTOR["select"]]
    for stream in discovered(sync):
        selects = [p for p in patterns if fnmatch.fnmatchcase(stream["tap_stream_id"], p)]
        assert len(selects) == stream["metadata"][-1]["metadata"]["selected-by-default"]


def test_without_billing_group_ids_there_are_no_billing_group_streams(sync: Sync) -> None:
    streams = {stream["tap_stream_id"] for stream in sync(None, "--discover").catalog["streams"]}
    assert not {name for name in streams if name.startswith("billing")}


def test_the_sandbox_extractor_sets_every_credential() -> None:
    """Meltano would take a missing one from the environment, where it is a real secret."""
    child = MELTANO["plugins"]["extractors"][1]
    credentials = {
        *(*NAMES_OF_TWILIOS_TOOLS, "account_client_id", "account_client_secret", "connections"),
        *("client_id", "client_secret", "billing_group_ids"),
    }
    assert {*credentials, "api_url"} <= child["config"].keys()
    of_dlt = json.loads((ROOT / "sandbox" / "settings.json").read_text())
    assert of_dlt == {**child["config"], "subaccounts": "separate"}


def test_the_secrets_example_lists_every_credential_without_a_value() -> None:
    text = (ROOT / ".secrets.example").read_text()
    for name in ("ACCOUNT_SID", "AUTH_TOKEN", "API_KEY", "API_SECRET"):
        assert f"\nTWILIO_{name}=\n" in text
    for name in (
        *("ACCOUNT_CLIENT_ID", "ACCOUNT_CLIENT_SECRET", "CONNECTIONS"),
        *("CLIENT_ID", "CLIENT_SECRET", "BILLING_GROUP_IDS"),
    ):
        assert f"\n# TAP_TWILIO_USAGE_{name}=" in text


(DEMO,) = re.findall(r"^python3 .* run demo$", README, re.MULTILINE)


@pytest.mark.nightly
def test_the_demo_runs_as_written_and_reconciles(tmp_path: Path) -> None:
    """It creates an environment, and installs Meltano and its plugins."""
    project = tmp_path / "clone"
    copy_project(project)
    demo_reconciles(DEMO, project)


def test_the_demo_reconciles_where_its_plugins_are_installed(installed: Path) -> None:
    *_, run = DEMO.split(" && ")
    demo_reconciles(run, installed)


def demo_reconciles(command: str, project: Path) -> None:
    """Run the demo; check what it prints, and the report, also by the command for one's own."""
    real = {"TWILIO_ACCOUNT_SID": "AC" + "9" * 32, "TWILIO_AUTH_TOKEN": "a-real-secret"}
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=project,
        env={**clean_environment(), **real},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a-real-secret" not in done.stdout + done.stderr
    report = done.stdout + done.stderr
    sums = dict(re.findall(r"(?m)^(Sum of all|SUM|Twilio's total)\S* .*?([\d,.]+)  ", report))
    naive, deduplicated, total = (
        Decimal(sums[name].replace(",", "")) for name in ("Sum of all", "SUM", "Twilio's total")
    )
    assert naive > deduplicated == total
    for answer in ("Who spent", "Invoice of Acme", "Budget for", "expected at the end", "spike"):
        assert answer in report
    assert "Each of these sums was compared with Twilio's totalprice: all are equal." in report
    page = (project / "output" / "report.html").read_text()
    assert f'title="{exact(total)}"' in page
    assert 'class="alarm"' not in page
    (project / ".env").write_text("TARGET_DUCKDB_PATH=output/demo.duckdb\n")
    (project / "output" / "report.html").unlink()
    (command,) = re.findall(r"^.* invoke report .*$", README, re.MULTILINE)
    subprocess.run(command, shell=True, cwd=project, env=clean_environment(), check=True)
    assert (project / "output" / "report.html").read_text() == page


def test_every_fault_is_mapped_to_existing_tests() -> None:
    lines = (ROOT / "tests" / "README.md").read_text().splitlines()
    rows = [line.strip("|").split("|") for line in lines if re.match(r"\| \d+ \|", line)]
    assert [int(number) for number, *_ in rows] == list(range(1, 56))
    for _, _, tests in rows:
        file = ""
        named = re.findall(r"`([\w/]*(?:\.py)?)::(test_\w+)`", tests)
        assert named
        for own, test in named:
            file = own or file
            assert f"\ndef {test}(" in (ROOT / "tests" / file).read_text(), test
