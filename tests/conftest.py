"""Fixtures that run the tap against a real server, as a command or with Meltano."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import hypothesis
import psycopg
import pytest
from filelock import FileLock

from benchmarks.postgres import postgres as postgres_server
from sandbox import (
    AUTH_TOKEN,
    BILLING_GROUP_IDS,
    CLIENT_ID,
    CLIENT_SECRET,
    MAIN_SID,
    Company,
    Server,
)
from tap_twilio_usage import __version__
from tests.canary import leaks
from tests.forked import CAN_FORK, NOTHING, Forked, Overrides
from tests.twilio import SID, TOKEN

ROOT = Path(__file__).parents[1]
PROJECT = (
    *("meltano.yml", "pyproject.toml", "README.md", "LICENSE", ".secrets.example"),
    *("tap_twilio_usage", "sandbox", "dbt", "orchestrate", "log_settings"),
)
PYPROJECT = (ROOT / "pyproject.toml").read_text()
VERSION = __version__
BUILT = f"tap_twilio_usage-{VERSION}"  # how the names of the released files begin
PYTHONS = re.findall(r"Programming Language :: Python :: (3[.]\d+)", PYPROJECT)
COMMAND = Path(sys.executable).with_name("tap-twilio-usage")
REPORT = Path(sys.executable).with_name("tap-twilio-usage-report")
MELTANO = Path(sys.executable).with_name("meltano")

# What Meltano loads in tests.
FIRST, LAST = date(2025, 8, 20), date(2025, 9, 20)
DAYS = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
SCHEMA = "tap_twilio_usage"

# How long an example takes depends on what else runs.
hypothesis.settings.register_profile(
    "any speed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any speed")

DECODER = json.JSONDecoder(parse_float=Decimal)  # one for all lines, which is quicker

T = TypeVar("T")
Rows = list[tuple[Any, ...]]
Query = Callable[[str], Rows]


@dataclass(frozen=True)
class Run:
    """The result of a run of the command."""

    code: int
    out: str
    log: str

    @cached_property
    def messages(self) -> list[dict[str, Any]]:
        return [DECODER.decode(line) for line in self.out.split("\n") if line]

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


def nightly(*values: Any) -> Any:
    """Return values of parameters that only nightly tests use."""
    return pytest.param(*values, marks=pytest.mark.nightly)


def nightly_except(often: Collection[T], values: Iterable[T]) -> list[Any]:
    """Return the values of a parameter: each test run uses those of `often`, the others nightly."""
    return [value if value in often else nightly(value) for value in values]


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
    """Return the catalog entries of all streams, with all settings set."""
    settings = {"auth_token": TOKEN, "billing_group_ids": ["commerce_billingprofile_1"]}
    found: list[dict[str, Any]] = sync(settings, "--discover").catalog["streams"]
    return found


def pytest_xdist_auto_num_workers() -> int:
    """Run two tests a core at a time: most wait for a server, a process or a retry."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return 2 * len(os.sched_getaffinity(0))
    return 2 * (os.cpu_count() or 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests with Meltano or PostgreSQL first: they are long, and one worker gets them all.

    So the others need not wait for its installation, or start a PostgreSQL of their own. The demo
    is the longest of them.
    """
    slow = {"plugins", "postgres"}

    def place(item: pytest.Item) -> int:
        if item.name == "test_the_demo_reconciles_where_its_plugins_are_installed":
            return 0
        return 1 + slow.isdisjoint(getattr(item, "fixturenames", ()))

    items.sort(key=place)


@pytest.fixture
def sync(tmp_path: Path) -> Sync:
    """Return a function that runs the tap with a configuration, in an environment without settings.

    It forks a process, because the command takes half a second to start.
    """
    return forked_in(tmp_path) if CAN_FORK else command_in(tmp_path, COMMAND)


@pytest.fixture
def installed_command(tmp_path: Path) -> Sync:
    """Return a function like `sync` that runs the installed command, for tests of how it starts."""
    return command_in(tmp_path, COMMAND)


def forked_in(folder: Path) -> Sync:
    def run(
        settings: dict[str, Any] | str | None,
        *options: str,
        state: Any = None,
        catalog: Any = None,
        env: Mapping[str, str] | None = None,
        overrides: Overrides = NOTHING,
    ) -> Run:
        arguments = [*options, *_files(folder, config=settings, state=state, catalog=catalog)]
        environment = {**clean_environment(), **(env or {})}
        log = folder / "tap.log"
        started = Forked(arguments, log, environment, overrides=overrides)
        with started.out as out:
            messages = out.read().decode()
        return _checked(Run(started.wait(), messages, log.read_text()))

    return run


def command_in(folder: Path, command: Path) -> Sync:
    def run(
        settings: dict[str, Any] | str | None,
        *options: str,
        state: Any = None,
        catalog: Any = None,
        env: Mapping[str, str] | None = None,
    ) -> Run:
        files = _files(folder, config=settings, state=state, catalog=catalog)
        done = subprocess.run(
            [str(command), *options, *files],
            capture_output=True,
            text=True,
            check=False,
            env={**clean_environment(), **(env or {})},
            cwd=folder,
            timeout=120,
        )
        return _checked(Run(done.returncode, done.stdout, done.stderr))

    return run


def _files(folder: Path, **contents: Any) -> Iterator[str]:
    """Write the files that have content; yield the options that name them."""
    for name, content in contents.items():
        if content is not None:
            path = folder / f"{name}.json"
            path.write_text(content if isinstance(content, str) else json.dumps(content))
            yield from (f"--{name}", str(path))


def _checked(run: Run) -> Run:
    assert TOKEN not in run.out
    assert not leaks(run.log, [TOKEN])
    return run


def blocks(page: Path, language: str) -> list[str]:
    """Return the code blocks of a page."""
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", page.read_text())


def text_of(page: str) -> str:
    """Return the visible text of an HTML page."""
    for name in ("script", "style", "svg"):
        page = re.sub(f"<{name}.*?</{name}>", " ", page, flags=re.DOTALL)
    page = re.sub("</?(td|th|tr|dt|dd|p|h1|h2|h3|li)[^>]*>", " ", page)
    return " ".join(html.unescape(re.sub("<[^>]*>", "", page)).split())


def clean_environment() -> dict[str, str]:
    """Return the environment without settings."""
    ours = ("TWILIO_", "TAP_", "TARGET_", "DBT_")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours)}


def ended(
    command: Sequence[str], *, env: Mapping[str, str], cwd: Path | None = None, timeout: int = 300
) -> tuple[int, str]:
    """Return the exit code of a command and what it says."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=timeout,
    )
    return done.returncode, done.stdout


def output_of(command: Sequence[str], *, env: Mapping[str, str], cwd: Path | None = None) -> str:
    """Return what a command says; it has to succeed, and to show no Auth Token."""
    code, output = ended(command, env=env, cwd=cwd, timeout=580)
    assert code == 0, output
    assert not leaks(output, [AUTH_TOKEN])
    return output


# It sends no statistics, and writes no log of each statement.
QUIET_DBT = {"DO_NOT_TRACK": "1", "NO_COLOR": "1", "DBT_LOG_LEVEL_FILE": "none"}

# Meltano installs the others where a test runs them.
BY_DAY = (
    "tap-twilio-usage",
    "tap-twilio-usage-sandbox",
    "target-postgres",
    "target-duckdb",
    "target-jsonl",
    "sandbox",
    "report",
    "load",
    "dbt-postgres",
    "dbt-demo",
)


def once_for_all(
    factory: pytest.TempPathFactory, worker_id: str, name: str, make: Callable[[Path], None]
) -> Path:
    """Return a folder that all workers share, which the first of them makes."""
    own = factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / name
    done = folder.with_suffix(".done")
    with FileLock(folder.with_suffix(".lock")):
        if not done.exists():
            make(folder)
            done.touch()
    return folder


def install(environment: Path, *packages: str) -> None:
    """Make an environment with the packages."""
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "-q", "-p", sys.executable, environment], check=True)
    subprocess.run([uv, "pip", "install", "-q", "-p", environment, *packages], check=True)


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Build the sdist from the commit and the wheel from the sdist, or use those in $DIST."""
    if given := os.environ.get("DIST"):
        return Path(given).absolute()

    def build(out: Path) -> None:
        tree, committed = tmp_path_factory.mktemp("tree"), out / "committed.tar"
        out.mkdir()
        subprocess.run(["git", "archive", "-o", committed, "HEAD"], cwd=ROOT, check=True)
        for target, source, top in (
            ("sdist", committed, tree),
            ("wheel", out / f"{BUILT}.tar.gz", tree / BUILT),
        ):
            shutil.unpack_archive(source, tree, filter="data")
            command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(out)]
            subprocess.run(command, cwd=top, check=True)

    return once_for_all(tmp_path_factory, worker_id, "dist", build)


@pytest.fixture(scope="session")
def sdist(dist: Path) -> Path:
    return dist / f"{BUILT}.tar.gz"


@pytest.fixture(scope="session")
def wheel(dist: Path) -> Path:
    return dist / f"{BUILT}-py3-none-any.whl"


@pytest.fixture(scope="session")
def plugins(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Return the environments of Meltano's plugins, which are installed once for all workers."""

    def install_plugins(project: Path) -> None:
        copy_project(project)
        command: list[str | Path] = [MELTANO, "install", *BY_DAY]
        subprocess.run(command, cwd=project, env=clean_environment(), check=True)

    return once_for_all(tmp_path_factory, worker_id, "installed", install_plugins) / ".meltano"


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, plugins: Path) -> Path:
    """Return a copy of the project, like a clone with Meltano's plugins installed."""
    copy = tmp_path_factory.mktemp("project") / "clone"
    copy_project(copy)
    for kind in ("extractors", "loaders", "utilities"):
        (copy / ".meltano").mkdir(exist_ok=True)
        (copy / ".meltano" / kind).symlink_to(plugins / kind)
    return copy


def copy_project(target: Path) -> None:
    target.mkdir()
    for name in PROJECT:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target / name)
    (target / "output").mkdir()


@pytest.fixture
def installed(project: Path) -> Iterator[Path]:
    """Yield the project after the README's first command; a test may write its .env."""
    environment = project / ".venv"
    if not environment.exists():
        environment.symlink_to(sys.prefix)
    yield project
    if environment.is_symlink():
        environment.unlink()
    (project / ".env").unlink(missing_ok=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Yield the URI of a PostgreSQL server that listens on TCP."""
    with postgres_server() as uri:
        yield uri


@pytest.fixture(scope="session")
def compiled(
    plugins: Path, postgres: str, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Path:
    """Return the folder of the SQL that dbt makes of the package for PostgreSQL."""

    def compile_it(folder: Path) -> None:
        shutil.copytree(ROOT / "dbt", folder, ignore=shutil.ignore_patterns("target", "logs"))
        dbt = plugins / "utilities" / "dbt-postgres" / "venv" / "bin" / "dbt"
        env = {**clean_environment(), **address(f"{postgres}/postgres"), **QUIET_DBT}
        output_of([f"{dbt}", "compile", "--profiles-dir=."], cwd=folder, env=env)

    made = once_for_all(tmp_path_factory, worker_id, "compiled", compile_it)
    return made / "target" / "compiled" / "twilio_usage"


@pytest.fixture
def database(postgres: str, request: pytest.FixtureRequest) -> str:
    """Return the URI of an empty database for the test."""
    with psycopg.connect(f"{postgres}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{request.node.name}"')
    return f"{postgres}/{request.node.name}"


@pytest.fixture
def query(database: str) -> Query:
    def run(statement: str) -> Rows:
        with psycopg.connect(database, options=f"-c search_path={SCHEMA}") as connection:
            return connection.execute(statement).fetchall()

    return run


@pytest.fixture
def company() -> Company:
    return Company(today=date(2025, 10, 1), categories=60, new_category_from=date(2025, 9, 15))


@pytest.fixture
def server(company: Company) -> Iterator[Server]:
    """Serve the company, which most files define for themselves."""
    with Server(company) as running:
        yield running


def address(uri: str) -> dict[str, str]:
    """Return the settings of .secrets.example for a database."""
    with psycopg.connect(uri) as connection:
        info = connection.info
        return {
            "TARGET_POSTGRES_HOST": info.host,
            "TARGET_POSTGRES_PORT": f"{info.port}",
            "TARGET_POSTGRES_USER": info.user,
            "TARGET_POSTGRES_PASSWORD": "not asked for",
            "TARGET_POSTGRES_DATABASE": info.dbname,
        }


class Meltano:
    """`meltano run tap-twilio-usage ...` against the sandbox, with a system database of its own."""

    def __init__(self, project: Path, home: Path, database: str) -> None:
        self.project = project
        self.database = database
        self.environment = {
            **clean_environment(),
            "MELTANO_DATABASE_URI": f"sqlite:///{home / 'meltano.db'}",
            "TWILIO_ACCOUNT_SID": MAIN_SID,
            "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
            "TAP_TWILIO_USAGE_START_DATE": f"{FIRST}",
            "TAP_TWILIO_USAGE_END_DATE": f"{LAST}",
            **address(database),
            "TARGET_DUCKDB_PATH": f"{home / 'warehouse.duckdb'}",
        }

    def call(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [MELTANO, *arguments],
            cwd=self.project,
            env={**self.environment, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def start(
        self, server: Server, target: str, *options: str, **more: str
    ) -> subprocess.Popen[str]:
        tasks = ("tap-twilio-usage", target)
        settings = {"TAP_TWILIO_USAGE_API_URL": server.url, **more}
        return self.call("run", *options, *tasks, **settings)

    def run(self, server: Server, target: str, *options: str, **more: str) -> str:
        with self.start(server, target, *options, **more) as process:
            log, _ = process.communicate(timeout=300)
        assert process.returncode == 0, log
        assert not leaks(log, (AUTH_TOKEN, CLIENT_SECRET))
        return log


@pytest.fixture
def meltano(project: Path, tmp_path: Path, database: str) -> Meltano:
    return Meltano(project, tmp_path, database)


def everything(server: Server) -> dict[str, str]:
    """Return the settings that load all streams."""
    return {
        "TAP_TWILIO_USAGE__SELECT": '["*.*"]',
        "TAP_TWILIO_USAGE_CLIENT_ID": CLIENT_ID,
        "TAP_TWILIO_USAGE_CLIENT_SECRET": CLIENT_SECRET,
        "TAP_TWILIO_USAGE_BILLING_GROUP_IDS": json.dumps(BILLING_GROUP_IDS),
        "TAP_TWILIO_USAGE_BILLING_API_URL": server.url,
        "TAP_TWILIO_USAGE_OAUTH_TOKEN_URL": f"{server.url}/v2/token",
    }


def query_and_commit(meltano: Meltano, statement: str) -> None:
    with psycopg.connect(meltano.database) as connection:
        connection.execute(statement)
