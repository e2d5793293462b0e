"""How tests run the tap: as the installed command, against a real server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from tests.canary import leaks
from tests.twilio import SID, TOKEN

ROOT = Path(__file__).parents[1]
PROJECT = ("meltano.yml", "pyproject.toml", "README.md", "LICENSE", "tap_twilio_usage", "sandbox")
PYPROJECT = (ROOT / "pyproject.toml").read_text()
VERSION = re.findall(r'(?m)^version = "(.+)"$', PYPROJECT)[0]
PYTHONS = re.findall(r"Programming Language :: Python :: (3[.]\d+)", PYPROJECT)
COMMAND = Path(sys.executable).with_name("tap-twilio-usage")


@dataclass(frozen=True)
class Run:
    """What a run of the command left behind."""

    code: int
    out: str
    log: str

    @cached_property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(line, parse_float=Decimal) for line in self.out.splitlines()]

    @property
    def catalog(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found

    def records(self, stream: str = "usage_records_daily") -> list[dict[str, Any]]:
        return [
            m["record"] for m in self.messages if m["type"] == "RECORD" and m["stream"] == stream
        ]

    def schemas(self) -> dict[str, dict[str, Any]]:
        return {m["stream"]: m for m in self.messages if m["type"] == "SCHEMA"}

    @property
    def states(self) -> list[dict[str, Any]]:
        return [m["value"] for m in self.messages if m["type"] == "STATE"]

    @property
    def bookmarks(self) -> list[str | None]:
        return [bookmark(state) for state in self.states]

    @property
    def last_line(self) -> str:
        """The last line of the log; requests under way may add lines at DEBUG after it."""
        return [line for line in self.log.splitlines() if "| DEBUG " not in line][-1]


def bookmark(state: dict[str, Any]) -> str | None:
    partitions = state["bookmarks"].get("usage_records_daily", {}).get("partitions", [])
    found: str | None = partitions[0].get("replication_key_value") if partitions else None
    return found


def config(url: str, **settings: Any) -> dict[str, Any]:
    return {
        "account_sid": SID,
        "auth_token": TOKEN,
        "start_date": "2026-01-01",
        "end_date": "2026-01-31",
        "api_url": url,
        **settings,
    }


def catalog_of(streams: dict[str, Any], *selected: str) -> dict[str, Any]:
    for stream in streams["streams"]:
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = stream["tap_stream_id"] in selected
    return streams


Sync = Callable[..., Run]


def discovered(sync: Sync) -> list[dict[str, Any]]:
    """Give every stream there is, as in the catalog of somebody who has set everything."""
    settings = {"auth_token": TOKEN, "billing_group_ids": ["commerce_billingprofile_1"]}
    found: list[dict[str, Any]] = sync(settings, "--discover").catalog["streams"]
    return found


@pytest.fixture
def sync(tmp_path: Path) -> Sync:
    """Run the installed command on a configuration; `env` adds to an environment of its own."""
    return command_in(tmp_path)


def command_in(folder: Path, command: Path = COMMAND) -> Sync:
    def run(
        settings: dict[str, Any] | str | None,
        *options: str,
        state: Any = None,
        catalog: Any = None,
        env: dict[str, str] | None = None,
    ) -> Run:
        arguments = [*options]
        for name, value in (("config", settings), ("state", state), ("catalog", catalog)):
            if value is not None:
                path = folder / f"{name}.json"
                path.write_text(value if isinstance(value, str) else json.dumps(value))
                arguments += [f"--{name}", str(path)]
        done = subprocess.run(
            [str(command), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**clean_environment(), **(env or {})},
            cwd=folder,
            timeout=60,
        )
        assert TOKEN not in done.stdout
        assert not leaks(done.stderr, [TOKEN])
        return Run(done.returncode, done.stdout, done.stderr)

    return run


def clean_environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith(("TWILIO_", "TAP_", "TARGET_"))}


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a fresh copy of the project, as a clone would be."""
    copy = tmp_path_factory.mktemp("project")
    for name in PROJECT:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)
    (copy / "output").mkdir()
    return copy
