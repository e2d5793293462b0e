"""docs/install.md: each way to install, from the built wheel, in an empty folder and home."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
import yaml

from sandbox import AUTH_TOKEN, MAIN_SID, Company, Server
from tests.conftest import ROOT, VERSION, blocks, clean_environment, output_of

PAGE = ROOT / "docs" / "install.md"
HUB = ROOT / "hub" / "tap-twilio-usage.yml"
UVX, PIPX, PIP, FIRST_LOAD, ADD = blocks(PAGE, "sh")
(DEFINITION,) = blocks(PAGE, "yaml")
COMMANDS = [each.name for each in distribution("tap-twilio-usage").entry_points]
IS_INSTALLED = f"tap-twilio-usage v{VERSION},"
FIRST, LAST = date(2025, 9, 28), date(2025, 9, 30)
# The Hub cannot be asked for a loader.
LOADER = {
    "name": "target-jsonl",
    "namespace": "target_jsonl",
    "pip_url": "target-jsonl~=0.1.4",
    "executable": "target-jsonl",
    "config": {"destination_path": "output", "do_timestamp_file": False},
}

Shell = Callable[..., str]


@pytest.fixture
def shell(dist: Path, tmp_path: Path) -> Shell:
    """Return a function that runs commands in an empty folder, which find the wheel by its name."""
    bin_, home, folder = tmp_path / "bin", tmp_path / "home", tmp_path / "folder"
    for each in (bin_, home, folder):
        each.mkdir()
    for tool in ("uv", "uvx", "pipx", "meltano"):
        (bin_ / tool).symlink_to(Path(sys.executable).with_name(tool))
    cache = subprocess.check_output([bin_ / "uv", "cache", "dir"], text=True).strip()
    environment = {
        **clean_environment(),
        "HOME": f"{home}",
        "PATH": f"{bin_}:{home / '.local' / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        "PIP_FIND_LINKS": f"{dist}",
        "UV_FIND_LINKS": f"{dist}",
        "UV_CACHE_DIR": cache,  # what others have downloaded; the wheel is not in it
        "UV_NO_CONFIG": "1",
        "UV_PYTHON": f"{Path(sys.executable).resolve()}",
        "PIPX_DEFAULT_PYTHON": f"{Path(sys.executable).resolve()}",
        "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
    }

    def run(commands: str, more: Mapping[str, str] | None = None) -> str:
        return output_of(["bash", "-ec", commands], cwd=folder, env={**environment, **(more or {})})

    return run


def test_the_definition_in_the_docs_is_the_one_of_the_hub() -> None:
    (extractor,) = yaml.safe_load(DEFINITION)["plugins"]["extractors"]
    hub = yaml.safe_load(HUB.read_text())
    settings = {setting["name"]: setting for setting in hub["settings"]}
    for key, value in extractor.items():
        if key != "settings":
            assert hub[key] == value, key
    for setting in extractor["settings"]:
        assert setting.items() <= settings[setting["name"]].items()
    required = {name for group in hub["settings_group_validation"][:2] for name in group}
    assert required <= {setting["name"] for setting in extractor["settings"]}


def test_uvx(shell: Shell) -> None:
    assert IS_INSTALLED in shell(UVX, {"UV_REFRESH_PACKAGE": "tap-twilio-usage"})


@pytest.mark.nightly
def test_uvx_for_rows_of_another_connector(shell: Shell, tmp_path: Path) -> None:
    (command,) = (b for b in blocks(ROOT / "docs" / "migration.md", "text") if "uvx" in b)
    rows = {
        "account_id": ["AC1"],
        "category": ["totalprice"],
        "start_date": [FIRST],
        "price": ["5"],
    }
    pa.parquet.write_table(pa.table(rows), tmp_path / "folder" / "usage_record.parquet")
    assert "SUM(deduplicated_price) = 5" in shell(
        command, {"UV_REFRESH_PACKAGE": "tap-twilio-usage"}
    )


@pytest.mark.nightly
def test_pip_and_the_help_of_every_command_without_an_extra(shell: Shell) -> None:
    assert IS_INSTALLED in shell(PIP)
    for command in COMMANDS:
        assert f"sage: {command} " in shell(f".venv/bin/{command} --help")


def test_every_command_is_on_the_page() -> None:
    assert not [command for command in COMMANDS if f"`{command}`" not in PAGE.read_text()]


@pytest.mark.nightly
def test_pipx_and_the_first_load(shell: Shell, tmp_path: Path) -> None:
    credentials = FIRST_LOAD.replace("AC...", MAIN_SID).replace("=...", f"={AUTH_TOKEN}")
    with Server(Company(today=LAST, categories=20)) as server:
        settings: dict[str, Any] = {
            "api_url": server.url,
            "start_date": f"{FIRST}",
            "end_date": f"{LAST}",
        }
        (tmp_path / "folder" / "c.json").write_text(json.dumps(settings))
        commands = re.sub("(?m)^tap-twilio-usage", "tap-twilio-usage --config=c.json", credentials)
        assert "usage_records_daily can be read" in shell(f"{PIPX}\n{commands}")
        settings["lookback_days"] = 1
        (tmp_path / "folder" / "c.json").write_text(json.dumps(settings))
        (pipe,) = (block for block in blocks(PAGE, "text") if "--state" in block)
        pipe = pipe.replace("tap-twilio-usage ", "tap-twilio-usage --config=c.json ")
        pipe = pipe.replace("target-...", "target-jsonl")
        keys = "\n".join(line for line in commands.splitlines() if line.startswith("export "))
        shell("pipx install 'target-jsonl~=0.1.4'")
        first, again = (shell(f"{keys}\n{pipe}") for _ in range(2))
    assert "(3 days)" in first
    assert "(2 days)" in again
    lines = (tmp_path / "folder" / "usage.jsonl").read_text().splitlines()
    assert reconciles(json.loads(line, parse_float=Decimal) for line in lines)


def reconciles(messages: Any) -> bool:
    """Return whether the rows of each day add up to the company's total."""
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for message in messages:
        if message["type"] == "RECORD" and message["stream"] == "usage_records_daily":
            sums[message["record"]["start_date"]] += message["record"]["deduplicated_price"]
    company = Company(today=LAST, categories=20)
    days = [date.fromordinal(n) for n in range(FIRST.toordinal(), LAST.toordinal() + 1)]
    return sums == {f"{day}": company.total(day) for day in days}


@pytest.mark.nightly
@pytest.mark.parametrize("way", ["the definition of the page", "meltano add"])
def test_a_meltano_project_of_ones_own(way: str, shell: Shell, tmp_path: Path) -> None:
    shell("meltano init --no_usage_stats project")
    project = tmp_path / "folder" / "project"
    file = project / "meltano.yml"
    if way == "meltano add":
        (url,) = re.findall(r"https://\S+", ADD)
        assert url.endswith(f"/main/{HUB.relative_to(ROOT)}")
        shell(f"cd project\n{ADD.replace(url, f'{HUB}')}")
        said = yaml.safe_load(file.read_text())
    else:
        said = {**yaml.safe_load(file.read_text()), **yaml.safe_load(DEFINITION)}
    (extractor,) = said["plugins"]["extractors"]
    said["plugins"]["loaders"] = [LOADER]
    with Server(Company(today=LAST, categories=20)) as server:
        extractor["config"] = {"api_url": server.url, "end_date": f"{LAST}"}  # one is not declared
        file.write_text(yaml.safe_dump(said))
        (project / ".env").write_text(
            f"TWILIO_ACCOUNT_SID={MAIN_SID}\nTWILIO_AUTH_TOKEN={AUTH_TOKEN}\n"
            f"TAP_TWILIO_USAGE_START_DATE={FIRST}\n"
        )
        log = shell(
            "cd project\nmeltano install\nmeltano invoke tap-twilio-usage --test\n"
            "meltano run tap-twilio-usage target-jsonl"
        )
    assert "usage_records_daily can be read" in log
    loaded = {path.stem for path in (project / "output").glob("*.jsonl")}
    assert loaded == {"usage_records_daily", "categories", "usage_reconciliation"}
    lines = (project / "output" / "usage_records_daily.jsonl").read_text().splitlines()
    rows = (json.loads(line, parse_float=Decimal) for line in lines)
    stream = {"type": "RECORD", "stream": "usage_records_daily"}
    assert reconciles({**stream, "record": row} for row in rows)
