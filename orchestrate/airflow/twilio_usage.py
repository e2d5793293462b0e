"""The Airflow DAG that loads every night; see `docs/running.md`."""

import os
from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

# The clone in which Meltano is installed.
PROJECT = os.environ.get("TWILIO_USAGE_PROJECT", f"{Path(__file__).resolve().parents[2]}")
LOADER = os.environ.get("TWILIO_USAGE_LOADER", "target-postgres")
DBT = LOADER.replace("target-", "dbt-")

with DAG(
    dag_id="twilio_usage",
    schedule="0 2 * * *",  # UTC
    catchup=False,  # a run also loads the days of those that did not run
    max_active_runs=1,  # two runs would change one state
    default_args={
        "cwd": PROJECT,
        "append_env": True,
        "retries": 3,
        "retry_delay": timedelta(minutes=2),
        "retry_exponential_backoff": True,  # Meltano considers a killed run as running for five
    },
) as dag:
    load = BashOperator(
        task_id="load",
        bash_command=f".venv/bin/meltano run tap-twilio-usage {LOADER}",
    )
    models = BashOperator(
        task_id="models",
        bash_command=f".venv/bin/meltano run {DBT}:build",
    )
    load >> models
