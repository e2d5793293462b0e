"""The tools that are measured, each with the command that reads a case."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.case import TODAY, Case
from benchmarks.surroundings import environment
from sandbox import AUTH_TOKEN, MAIN_SID

COMMAND = str(Path(sys.executable).with_name("tap-twilio-usage"))
STREAM = "usage_records_daily"
RECORD = b'{"type":"RECORD","stream":"%s"' % STREAM.encode()
STATE = b'{"type":"STATE"'

Json = dict[str, Any]


class Task(NamedTuple):
    """A case to read from a URL, for some tools with a state."""

    case: Case
    url: str
    state: Json | None = None


@dataclass(frozen=True, eq=False)
class Tool:
    """A module of the benchmarks that prints how many records it read."""

    name: str
    module: str  # imported at start-up

    def command(self, task: Task, _folder: Path) -> list[str]:
        """Return the command; it may write its files to the folder."""
        first, last = task.case.first, TODAY
        return [sys.executable, "-m", self.module, task.url, f"{first}", f"{last}"]

    def rows(self, output: Path) -> int:
        """Return the number of records, which the output contains."""
        return int(output.read_text("utf-8"))


@dataclass(frozen=True, eq=False)
class Singer(Tool):
    """A Singer tap that is a module of the benchmarks."""

    def command(self, task: Task, folder: Path) -> list[str]:
        """Return the command with its config file."""
        return [sys.executable, "-m", self.module, *_file(folder, "config", self.settings(task))]

    def rows(self, output: Path) -> int:
        """Return the number of RECORD messages in the output."""
        with output.open("rb") as lines:
            return sum(line.startswith(RECORD) for line in lines)

    def settings(self, task: Task) -> Json:
        """Return the settings."""
        return {
            "account_sid": MAIN_SID,
            "auth_token": AUTH_TOKEN,
            "start_date": f"{task.case.first}",
            "end_date": f"{TODAY}",
            "api_url": task.url,
        }


@dataclass(frozen=True, eq=False)
class Tap(Singer):
    """The installed tap, with settings of its own."""

    module: str = "tap_twilio_usage.tap"
    own: Mapping[str, Any] = field(default_factory=dict)
    executable: str = COMMAND

    def command(self, task: Task, folder: Path) -> list[str]:
        """Return the command with config, a catalog that selects one stream, and state."""
        return [
            self.executable,
            *_file(folder, "config", self.settings(task)),
            *_file(folder, "catalog", one_stream(self.executable)),
            *(_file(folder, "state", task.state) if task.state else ()),
        ]

    def settings(self, task: Task) -> Json:
        """Return the settings; several accounts are read separately."""
        separate = {"subaccounts": "separate"} if task.case.accounts > 1 else {}
        return {**super().settings(task), **separate, **self.own}


FLOOR = Tool("floor (requests + orjson)", "benchmarks.floor")
LIBRARY = Tool("Twilio's Python library", "benchmarks.twilio_library")
PLAIN = Singer("plain SDK stream", "benchmarks.sdk_stream")
TAP = Tap("tap, defaults")
ALL_ROWS = Tap("tap, skip_unused_categories: false", own={"skip_unused_categories": False})
EIGHT = Tap("tap, max_concurrent_requests: 8", own={"max_concurrent_requests": 8})


def _file(folder: Path, name: str, content: Json) -> tuple[str, str]:
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content), "utf-8")
    return f"--{name}", f"{path}"


@cache
def one_stream(executable: str) -> Json:
    """Return the tap's catalog with one stream selected."""
    command = [executable, "--discover", "--config=ENV"]
    done = subprocess.run(command, env=environment(), capture_output=True, check=True)  # noqa: S603
    catalog: Json = json.loads(done.stdout)
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = stream["tap_stream_id"] == STREAM
    return catalog
