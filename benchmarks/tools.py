"""What is measured: each tool with the command that reads a case."""

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

Json = dict[str, Any]


class Task(NamedTuple):
    """A case to be read from a URL, by some after a state."""

    case: Case
    url: str
    state: Json | None = None


@dataclass(frozen=True, eq=False)
class Tool:
    """A module of the benchmarks that prints how many records it read."""

    name: str
    module: str  # what it has to import before it begins

    def command(self, task: Task, _folder: Path) -> list[str]:
        """Give the command; the folder is there for the files that it needs."""
        first, last = task.case.first, TODAY
        return [sys.executable, "-m", self.module, task.url, f"{first}", f"{last}"]

    def rows(self, output: Path) -> int:
        """Give the number of records from what it printed."""
        return int(output.read_text("utf-8"))


@dataclass(frozen=True, eq=False)
class Singer(Tool):
    """A Singer tap that is a module of the benchmarks."""

    def command(self, task: Task, folder: Path) -> list[str]:
        """Give the command, with the settings that every tap has."""
        return [sys.executable, "-m", self.module, *_file(folder, "config", self.settings(task))]

    def rows(self, output: Path) -> int:
        """Give the number of records that it wrote."""
        with output.open("rb") as lines:
            return sum(line.startswith(RECORD) for line in lines)

    def settings(self, task: Task) -> Json:
        """Give the settings."""
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

    def command(self, task: Task, folder: Path) -> list[str]:
        """Give the command, with the one stream of the catalog and the state."""
        return [
            COMMAND,
            *_file(folder, "config", self.settings(task)),
            *_file(folder, "catalog", _catalog()),
            *(_file(folder, "state", task.state) if task.state else ()),
        ]

    def settings(self, task: Task) -> Json:
        """Give the settings: many accounts are read each by itself."""
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
def _catalog() -> Json:
    """Give the tap's catalog with one stream selected."""
    done = subprocess.run(  # noqa: S603
        [COMMAND, "--discover", "--config=ENV"], env=environment(), capture_output=True, check=True
    )
    catalog: Json = json.loads(done.stdout)
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = stream["tap_stream_id"] == STREAM
    return catalog
