"""docs/running.md and orchestrate/: cron, systemd, the container, Kubernetes, Airflow."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import Company, Server
from tests.conftest import MELTANO, ROOT, Query, blocks, clean_environment, install, output_of
from tests.conftest import Meltano as Project

PAGE = ROOT / "docs" / "running.md"
CLONE = "/srv/twilio-usage"
LOAD = ".venv/bin/meltano run tap-twilio-usage target-postgres"
MODELS = (
    "SELECT COUNT(*) > 0 FROM information_schema.tables WHERE table_schema = 'twilio_usage' "
    "AND table_name LIKE '%reconciliation'"
)
FIRST, LAST = date(2025, 9, 28), date(2025, 9, 30)


def instructions(containerfile: str) -> Iterator[tuple[str, str]]:
    for line in containerfile.splitlines():
        if line and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            yield word, rest


STEPS = [*instructions((ROOT / "Containerfile").read_text())]


def given(word: str) -> list[str]:
    return [rest for found, rest in STEPS if found == word]


def ignored(path: str) -> bool:
    """Return whether .dockerignore leaves the path out; the last pattern that matches counts."""
    found = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        parents = [path, *map(str, Path(path).parents)][:-1]
        names = {pattern, pattern.removeprefix("**/")}
        if line[:1] not in {"", "#"} and any(
            fnmatch.fnmatch(each, name) for each in parents for name in names
        ):
            found = not line.startswith("!")
    return found


def copied() -> set[str]:
    """Return the files of the repository that the image has."""
    listed = subprocess.check_output(["git", "ls-files"], text=True, cwd=ROOT).split()
    sources = {path for rest in given("COPY") for path in rest.split()[1:-1]}
    files = {path for path in listed if {path, path.partition("/")[0]} & sources}
    assert all((ROOT / path).exists() for path in sources)
    return {path for path in files if not ignored(path)}


def test_the_line_for_cron_and_the_unit_run_what_the_readme_runs() -> None:
    assert LOAD in (ROOT / "README.md").read_text()
    (cron,) = (block for block in blocks(PAGE, "text") if block.startswith("0 2 * * *"))
    assert cron.startswith(f"0 2 * * * cd {CLONE} && {LOAD} >>")
    service, _ = blocks(PAGE, "ini")
    assert f"ExecStart={CLONE}/{LOAD}\n" in service


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd is installed")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / ".venv" / "bin" / "meltano").symlink_to(MELTANO)
    units = []
    for name, text in zip(("service", "timer"), blocks(PAGE, "ini"), strict=True):
        units.append(tmp_path / f"twilio-usage.{name}")
        units[-1].write_text(text.replace(CLONE, f"{clone}"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    ours = [line for line in done.stdout.splitlines() if "twilio-usage" in line]
    assert (done.returncode, ours) == (0, [])


CRON_JOB = ROOT / "orchestrate" / "kubernetes.yaml"


@pytest.mark.nightly
def test_kubernetes_accepts_the_cron_job(tmp_path: Path) -> None:
    install(tmp_path / "environment", "kubernetes-validate>=1.34")  # large: Kubernetes' schemas
    command = tmp_path / "environment" / "bin" / "kubernetes-validate"
    subprocess.run([command, "--strict", CRON_JOB], check=True)


def test_the_cron_job_runs_the_image_once_at_a_time() -> None:
    job = yaml.safe_load(CRON_JOB.read_text())
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["args"] == json.loads(given("CMD")[0])
    assert f"--uid {pod['securityContext']['runAsUser']} " in given("RUN")[0]
    secret = container["envFrom"][0]["secretRef"]["name"]
    assert f"kubectl create secret generic {secret} --from-env-file=.env" in PAGE.read_text()


def test_the_image_has_what_it_needs_and_no_setting() -> None:
    files = copied()
    listed = subprocess.check_output(["git", "ls-files", "tap_twilio_usage"], text=True, cwd=ROOT)
    assert {"meltano.yml", "pyproject.toml", "dbt/dbt_project.yml", *listed.split()} <= files
    for path in (
        ".env",
        ".secrets.example",
        "dbt/.env",
        "output/report.html",
        ".meltano/meltano.db",
    ):
        assert ignored(path)
    words = [word for word, _ in STEPS]
    last_copy = len(words) - words[::-1].index("COPY")
    assert words.index("USER") < words.index("COPY") < last_copy < words.index("ENTRYPOINT")
    assert given("USER") == ["loader"]
    assert not given("ENV")
    assert not given("ARG")


@pytest.mark.nightly
def test_the_steps_of_the_container_lead_to_a_load(
    tmp_path: Path, database: str, query: Query
) -> None:
    """Those that need root are left out."""
    image = tmp_path / "image"
    for path in copied():
        (image / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, image / path)
    environment = {
        **clean_environment(),
        "HOME": f"{tmp_path}",
        "PATH": f"{Path(sys.base_prefix) / 'bin'}:/usr/bin:/bin",
    }
    steps = given("RUN")
    assert steps[0].startswith("useradd --create-home ")
    assert steps[1] == "chown loader /project"
    for step in steps[2:]:
        subprocess.run(["sh", "-ec", step], cwd=image, env=environment, check=True, timeout=580)
    settings = Project(image, tmp_path, database).environment
    with Server(Company(today=LAST, categories=20)) as server:
        output_of(
            [*json.loads(given("ENTRYPOINT")[0]), *json.loads(given("CMD")[0])],
            cwd=image,
            env={
                **environment,
                **{name: settings[name] for name in settings if name not in os.environ},
                "MELTANO_DATABASE_URI": database,  # keeps the state, as the page says
                "TAP_TWILIO_USAGE_API_URL": server.url,
                "TAP_TWILIO_USAGE_START_DATE": f"{FIRST}",
                "TAP_TWILIO_USAGE_END_DATE": f"{LAST}",
            },
        )
    assert query("SELECT COUNT(DISTINCT start_date) FROM usage_records_daily") == [(3,)]
    assert query(MODELS) == [(True,)]
    assert query("SELECT COUNT(*) FROM public.state") == [(1,)]


AIRFLOW = {
    "AIRFLOW__CORE__DAGS_FOLDER": f"{ROOT / 'orchestrate' / 'airflow'}",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
}


@pytest.mark.nightly
def test_airflow_runs_the_dag(
    meltano: Project, query: Query, installed: Path, tmp_path: Path
) -> None:
    environment = tmp_path / "airflow"
    install(environment, "apache-airflow>=3.1,<4")
    (command,) = re.findall(r"(?m)^airflow dags test .*$", PAGE.read_text())
    with Server(Company(today=LAST, categories=20)) as server:
        settings: dict[str, Any] = {
            **meltano.environment,
            **AIRFLOW,
            "AIRFLOW_HOME": f"{tmp_path / 'home'}",
            "PATH": f"{environment / 'bin'}:{os.environ['PATH']}",
            "TWILIO_USAGE_PROJECT": f"{installed}",
            "TAP_TWILIO_USAGE_API_URL": server.url,
            "TAP_TWILIO_USAGE_START_DATE": f"{FIRST}",
            "TAP_TWILIO_USAGE_END_DATE": f"{LAST}",
        }
        said = output_of(["bash", "-ec", f"airflow db migrate\n{command}"], env=settings)
    models = output_of(
        ["airflow", "tasks", "render", "twilio_usage", "models", f"{LAST}"],
        env={**settings, "TWILIO_USAGE_LOADER": "target-duckdb"},
    )
    assert "meltano run dbt-duckdb:build" in models
    assert "state=success" in said or "DagRunState.SUCCESS" in said
    assert query("SELECT COUNT(DISTINCT start_date) FROM usage_records_daily") == [(3,)]
    assert query(MODELS) == [(True,)]
