"""The Dagster jobs: many accounts in shards (`docs/many-accounts.md`), and today's alerts."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from dagster import (
    Backoff,
    DefaultScheduleStatus,
    Definitions,
    Failure,
    In,
    Jitter,
    Nothing,
    OpDefinition,
    OpExecutionContext,
    RetryPolicy,
    ScheduleDefinition,
    job,
    multiprocess_executor,
    op,
)

PROJECT = Path(__file__).parents[1]
MELTANO = Path(sys.executable).with_name("meltano")

SHARDS = int(os.environ.get("TWILIO_USAGE_SHARDS", "4"))
AT_A_TIME = int(os.environ.get("TWILIO_USAGE_AT_A_TIME", "0"))  # 0: the number of cores
RETRIES = int(os.environ.get("TWILIO_USAGE_RETRIES", "3"))
# Retries after about 1, 3 and 7 minutes: Meltano considers a killed run as running for five.
RETRY_SECONDS = float(os.environ.get("TWILIO_USAGE_RETRY_SECONDS", "60"))
LOADER = os.environ.get("TWILIO_USAGE_LOADER", "target-postgres")

TAP = "tap-twilio-usage"
ACCOUNT_STREAMS = ("usage_*",)
COMPANY_STREAMS = ("accounts", "categories", "billing_group_records")
# Almost no account is in this shard: its run installs plugins, creates tables and reads little.
NEARLY_EMPTY_SHARD = "1/9999"


def step(name: str, *streams: str, shard: str = "", tap: str = TAP) -> OpDefinition:
    """Return the step that loads these streams, with its own state ID.

    It uses `meltano el`, because runs of `meltano run` in one project share catalog and state.
    A shard, or another tap, loads those that are selected. Else they need not be selected.
    """
    settings = {"TAP_TWILIO_USAGE_SUBACCOUNTS": "separate"}
    arguments = ["el", f"--state-id=twilio-usage-{name}"]
    if shard:
        settings["TAP_TWILIO_USAGE_SHARD"] = shard
    if shard or tap != TAP:
        arguments += [f"--select={each}" for each in streams]
    else:
        settings["TAP_TWILIO_USAGE__SELECT"] = json.dumps([f"{each}.*" for each in streams])
    return meltano_op(name, *arguments, tap, LOADER, **settings)


def meltano_op(name: str, *arguments: str, **settings: str) -> OpDefinition:
    """Return the step that runs this command of Meltano, with these environment variables."""

    @op(
        name=name.replace("-", "_"),
        ins={"ready": In(Nothing)},
        retry_policy=RetryPolicy(
            max_retries=RETRIES,
            delay=RETRY_SECONDS,
            backoff=Backoff.EXPONENTIAL,
            jitter=Jitter.PLUS_MINUS,
        ),
    )
    def run(context: OpExecutionContext) -> None:
        exported = " ".join(f"{name}={shlex.quote(value)}" for name, value in settings.items())
        context.log.info("%s meltano %s", exported, shlex.join(arguments))
        errors = []
        with subprocess.Popen(  # noqa: S603 - the arguments above
            [MELTANO, "--log-format=json", *arguments],
            cwd=PROJECT,
            env={**os.environ, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as meltano:
            try:
                for level, line in _log_lines(meltano.stdout or ()):
                    context.log.log(level, line)
                    if level == "error":
                        errors.append(line)
            except BaseException:
                meltano.terminate()  # for example when the run is cancelled
                raise
        if meltano.returncode:
            reason = errors[0] if errors else f"exit code {meltano.returncode}"
            raise Failure(f"{name}: {reason}")

    return run


def _log_lines(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the level and the text of each log line of Meltano, the tap and the loader."""
    for line in lines:
        try:
            said = json.loads(line)
            level, text = said["level"], " ".join(said["event"].split())
        except (ValueError, KeyError, TypeError):
            yield "info", line.rstrip()
            continue
        if text != "METRIC":
            yield level, f"{said.get('name', 'meltano')}: {text}"


@job(
    executor_def=multiprocess_executor.configured({"max_concurrent": AT_A_TIME}),
    tags={"job": "twilio_usage"},
)
def twilio_usage() -> None:
    """Load each account in its shard, and the streams of the whole company once."""
    ready = step("tables", *ACCOUNT_STREAMS, shard=NEARLY_EMPTY_SHARD)()
    step("company", *COMPANY_STREAMS)(ready)
    for number in range(1, SHARDS + 1):
        name = f"shard-{number}-of-{SHARDS}"
        step(name, *ACCOUNT_STREAMS, shard=f"{number}/{SHARDS}")(ready)


@job(tags={"job": "twilio_usage_today"})
def twilio_usage_today() -> None:
    """Load today's usage so far, and say which category already costs more than on a whole day."""
    loaded = step("today", "usage_records_today", tap="tap-twilio-usage-today")()
    meltano_op("alerts", "invoke", "report:today")(loaded)


nightly = ScheduleDefinition(
    job=twilio_usage,
    cron_schedule="0 2 * * *",
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.RUNNING,
)
hourly = ScheduleDefinition(
    job=twilio_usage_today,
    cron_schedule="15 * * * *",
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.STOPPED,  # it needs a database and dbt models
)
definitions = Definitions(jobs=[twilio_usage, twilio_usage_today], schedules=[nightly, hourly])
