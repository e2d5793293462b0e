"""`orchestrate/` and `docs/many-accounts.md`: real Dagster, real Meltano, a real PostgreSQL."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from sandbox import AUTH_TOKEN, Company, Server
from sandbox.faults import Reply, error
from sandbox.server import Request
from tap_twilio_usage.config.settings import Shard
from tests.canary import leaks
from tests.conftest import ROOT, SCHEMA, Meltano, Query, blocks, clean_environment
from tests.http_server import Answer as Received
from tests.http_server import serve
from tests.noise import NOISE

pytestmark = pytest.mark.nightly

FIRST, LAST = date(2025, 9, 29), date(2025, 9, 30)
TABLES = ("accounts", "categories", "focus_cost_and_usage", "usage_records_daily")
SHARDS = [f"shard_{number}_of_4" for number in range(1, 5)]

COMMANDS = "".join(blocks(ROOT / "docs" / "many-accounts.md", "sh")).splitlines()
(INSTALL,) = (each for each in COMMANDS if "pip install" in each)
(HOME,) = (each for each in COMMANDS if "DAGSTER_HOME" in each)
(START,) = (each for each in COMMANDS if "dagster dev" in each)
WHOLE, ONE_SHARD = sorted((each for each in COMMANDS if "dagster job" in each), key=len)
BY_HAND = [each for each in COMMANDS if "meltano el" in each]

Events = list[tuple[str, str]]


class Faults:
    """One list of records of the second shard is an error, and each of one of the third."""

    def __init__(self, company: Company) -> None:
        self.once, self.always = (
            next(
                account.sid
                for account in company.accounts()
                if Shard(number, 4).has(account.sid) and company.charges(account.sid, LAST)
            )
            for number in (2, 3)
        )

    def __call__(self, request: Request) -> Callable[[Reply], Reply] | None:
        if "Category" in request.query:  # the totals, which another shard compares
            return None
        for sid in filter(None, (self.once, self.always)):
            if request.path.endswith(f"/{sid}/Usage/Records/Daily.json"):
                if sid == self.once:
                    self.once = ""
                return error(400, 20001, "Not today")
        return None


def shell(meltano: Meltano, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as it is in the document."""
    return subprocess.run(
        ["bash", "-c", f"{HOME}\n{command}"],
        cwd=meltano.project,
        env=meltano.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=1200,
    )


def events(project: Path) -> Events:
    """Return the steps of Dagster's last run with their outcomes."""
    from dagster import DagsterInstance  # noqa: PLC0415  (which takes seconds, in every run)

    with DagsterInstance.from_config(f"{project / '.dagster'}") as instance:
        (run,) = instance.get_runs(limit=1)
        logged = [entry.dagster_event for entry in instance.all_logs(run.run_id)]
    kinds = {"STEP_START", "STEP_RESTARTED", "STEP_SUCCESS", "STEP_UP_FOR_RETRY", "STEP_FAILURE"}
    return [
        (event.step_key or "", event.event_type_value)
        for event in logged
        if event and event.event_type_value in kinds
    ]


def steps(happened: Events, kind: str) -> list[str]:
    return sorted(step for step, event in happened if event == kind)


def at_a_time(happened: Events) -> int:
    """Return the highest number of steps that ran at the same time."""
    running: set[str] = set()
    most = 0
    for step, event in happened:
        (running.add if event in {"STEP_START", "STEP_RESTARTED"} else running.discard)(step)
        most = max(most, len(running))
    return most


def differences(query: Query, table: str) -> int:
    """Return how many rows only the single run has, and how many only the shards have."""
    columns = ", ".join(
        f'"{column}"'
        for (column,) in query(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'whole' "
            f"AND table_name = '{table}' AND column_name NOT LIKE '\\_sdc%' "
            "AND column_name NOT IN ('as_of', 'x_AsOf')"
        )
    )
    # After a failed run, FOCUS may have more rows with 0, as docs/focus.md says.
    kept = """ WHERE "BilledCost" <> 0""" if table == "focus_cost_and_usage" else ""
    one, four = (f"SELECT {columns} FROM {schema}.{table}{kept}" for schema in ("whole", SCHEMA))
    ((count,),) = query(
        f"SELECT COUNT(*) FROM (({one} EXCEPT ALL {four}) UNION ALL ({four} EXCEPT ALL {one})) _"
    )
    assert query(f"SELECT COUNT(*) > 0 FROM whole.{table}") == [(True,)]
    assert isinstance(count, int)
    return count


def test_four_shards_load_the_same_rows_as_one_run_even_after_failures(
    installed: Path, meltano: Meltano, query: Query
) -> None:
    company = Company(since=date(2025, 1, 1), today=LAST, subaccounts=39, categories=1)
    with Server(company) as server:
        meltano.environment |= {
            "TAP_TWILIO_USAGE_API_URL": server.url,
            "TAP_TWILIO_USAGE_START_DATE": f"{FIRST}",
            "TAP_TWILIO_USAGE_END_DATE": f"{LAST}",
            "TAP_TWILIO_USAGE_FOCUS": "true",
            "TAP_TWILIO_USAGE__SELECT": json.dumps([f"{stream}.*" for stream in TABLES]),
            "TWILIO_USAGE_AT_A_TIME": "3",
            "TWILIO_USAGE_RETRIES": "1",
            "TWILIO_USAGE_RETRY_SECONDS": "0.1",
        }
        one_run = {"TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": "whole"}
        meltano.run(server, "target-postgres", TAP_TWILIO_USAGE_SUBACCOUNTS="separate", **one_run)

        selected = [f"{stream}.*" for stream in TABLES if stream != "accounts"]  # as by default
        meltano.environment["TAP_TWILIO_USAGE__SELECT"] = json.dumps(selected)
        faults = server.plan = Faults(company)
        night = shell(meltano, WHOLE)
        happened = events(installed)
        lacking = differences(query, "usage_records_daily")

        server.plan = None
        again = shell(meltano, ONE_SHARD)
    assert not leaks(night.stdout, [AUTH_TOKEN])
    assert night.returncode == 1
    assert steps(happened, "STEP_UP_FOR_RETRY") == ["shard_2_of_4", "shard_3_of_4"]
    assert steps(happened, "STEP_FAILURE") == ["shard_3_of_4"]
    assert steps(happened, "STEP_SUCCESS") == sorted(
        {"tables", "company", *SHARDS} - {"shard_3_of_4"}
    )
    assert at_a_time(happened) == 3
    failed = "shard-3-of-4: tap-twilio-usage: some accounts failed; everything else is complete"
    assert f"{failed}: {faults.always}: " in night.stdout
    assert all(command.replace(".venv/bin/", "") in night.stdout for command in BY_HAND)
    assert lacking

    assert again.returncode == 0, again.stdout
    assert steps(events(installed), "STEP_SUCCESS") == ["shard_3_of_4"]
    assert {table: differences(query, table) for table in TABLES} == dict.fromkeys(TABLES, 0)
    with meltano.call("state", "list") as listing:
        states, _ = listing.communicate()
    names = [f"twilio-usage-{step}".replace("_", "-") for step in ("tables", "company", *SHARDS)]
    assert sorted(re.findall("(?m)^twilio-usage-.*$", states)) == sorted(names)


def test_the_hourly_job_sends_what_costs_too_much_today(installed: Path, meltano: Meltano) -> None:
    company = Company(since=date(2025, 7, 1), today=LAST, categories=1, leaked_key_on=LAST)
    with Server(company) as server, serve(lambda _: Received.json({})) as receiver:
        meltano.environment |= {
            "TAP_TWILIO_USAGE_API_URL": server.url,
            "TAP_TWILIO_USAGE_START_DATE": "2025-07-15",
            "TAP_TWILIO_USAGE_REPORT_URL": meltano.database,
            "TAP_TWILIO_USAGE_ALERTS_NOTIFY": receiver.url.replace("http", "json"),
            "TWILIO_USAGE_RETRIES": "0",
        }
        yesterday = {"TAP_TWILIO_USAGE_END_DATE": f"{FIRST}"}
        separate = {"TAP_TWILIO_USAGE_SUBACCOUNTS": "separate"}
        meltano.run(server, "target-postgres", **yesterday, **separate)
        hour = shell(meltano, WHOLE.replace("twilio_usage", "twilio_usage_today"))
        assert hour.returncode == 0, hour.stdout
        assert steps(events(installed), "STEP_SUCCESS") == ["alerts", "today"]
        (message,) = (request.json["message"] for request in receiver.requests)
        assert {line.split()[1] for line in message.splitlines()} == {f"{'AC':0<33}2:"}
        shell(meltano, WHOLE.replace("twilio_usage", "twilio_usage_today"))
        assert len(receiver.requests) == 1
    assert not leaks(hour.stdout, [AUTH_TOKEN])
    assert not [noise for noise in NOISE if noise in hour.stdout]


def answer(url: str, query: str) -> Any:
    """Return the answer of Dagster's web server once it is up."""
    request = urllib.request.Request(
        f"{url}/graphql",
        json.dumps({"query": query}).encode(),
        {"Content-Type": "application/json"},
    )
    deadline = time.monotonic() + 300  # it installs Dagster first
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return json.load(response)["data"]
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.2)


def test_dagster_starts_with_the_nightly_schedule_switched_on(
    project: Path, tmp_path: Path
) -> None:
    shutil.copytree(project / "orchestrate", tmp_path / "orchestrate")
    create, _, packages = INSTALL.partition(" && .venv/bin/pip install -q ")
    assert create == "python3 -m venv .venv"
    uv = f"{sys.executable} -m uv"
    install = f"{uv} pip install -q --no-config --python .venv/bin/python {packages}"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    commands = (f"{uv} venv -q --no-config .venv", install, HOME, f"exec {START} --port {port}")
    environment = {**clean_environment(), "TWILIO_USAGE_SHARDS": "8"}
    with subprocess.Popen(
        ["bash", "-ec", "\n".join(commands)],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as dagster:
        try:
            known = answer(
                f"http://127.0.0.1:{port}",
                "{repositoriesOrError {... on RepositoryConnection {nodes {"
                "schedules {pipelineName cronSchedule executionTimezone scheduleState {status}} "
                "pipelines {name solids {name}}}}}}",
            )
        finally:
            os.killpg(dagster.pid, signal.SIGKILL)
            log, _ = dagster.communicate()
    (repository,) = known["repositoriesOrError"]["nodes"]
    schedules = {
        schedule["pipelineName"]: (
            schedule["cronSchedule"],
            schedule["executionTimezone"],
            schedule["scheduleState"]["status"],
        )
        for schedule in repository["schedules"]
    }
    assert schedules == {
        "twilio_usage": ("0 2 * * *", "UTC", "RUNNING"),
        "twilio_usage_today": ("15 * * * *", "UTC", "STOPPED"),
    }
    (job,) = (each for each in repository["pipelines"] if each["name"] == "twilio_usage")
    shards = {f"shard_{number}_of_8" for number in range(1, 9)}
    assert {solid["name"] for solid in job["solids"]} == {"tables", "company", *shards}, log
