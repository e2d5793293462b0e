"""The dlt door with what has to be installed apart: the newest DuckDB, Iceberg and DuckLake."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import Server
from tests.conftest import ROOT
from tests.loading import Loader, settings

DAILY = "usage_records_daily"
pytestmark = pytest.mark.nightly
QUERY = f"""
SELECT COUNT(*), SUM(deduplicated_price) = SUM(price) FILTER (WHERE category = 'totalprice'),
       ANY_VALUE(TYPEOF(price)), ANY_VALUE(TYPEOF(start_date))
FROM {{}}.{DAILY}
"""
EXACT = [True, "DECIMAL(38,12)", "DATE"]


class Environment:
    """A virtual environment with the extra `dlt` and other packages."""

    def __init__(self, folder: Path, *packages: str) -> None:
        self.python = f"{folder / 'venv' / 'bin' / 'python'}"
        uv = Path(sys.executable).with_name("uv")
        for command in (
            ["venv", "-q", "-p", sys.executable, f"{folder / 'venv'}"],
            ["pip", "install", "-q", "-p", self.python, f"{ROOT}[dlt]", *packages],
        ):
            subprocess.run([uv, *command], check=True)

    def load(self, loader: Loader, server: Server, *options: str) -> None:
        """Load twice."""
        command = (self.python, "-m", "tap_twilio_usage.dlt")
        for _ in range(2):
            loader.run(*options, f"--select={DAILY}", command=command, **settings(server))

    def says(self, code: str) -> list[object]:
        said = subprocess.check_output([self.python, "-c", f"import json\n{code}"], text=True)
        found: list[object] = json.loads(said)
        return found


def test_the_newest_duckdb_and_iceberg_are_exact(tmp_path: Path, server: Server) -> None:
    environment, loader = Environment(tmp_path, "dlt[pyiceberg]"), Loader(tmp_path)
    environment.load(loader, server, "--destination=duckdb:///usage.duckdb")
    number, *exact = environment.says(
        f"import duckdb; c = duckdb.connect({str(tmp_path / 'usage.duckdb')!r})\n"
        f"print(json.dumps(c.execute({QUERY.format('tap_twilio_usage')!r}).fetchone()))"
    )
    assert exact == EXACT
    options = f"--destination=file://{tmp_path}/ice", "--table-format=iceberg"
    environment.load(loader, server, *options)
    newest = max(
        (tmp_path / "ice" / "tap_twilio_usage" / DAILY / "metadata").glob("*.metadata.json")
    )
    assert environment.says(
        "from pyiceberg.table import StaticTable\n"
        f"table = StaticTable.from_metadata({str(newest)!r}).scan().to_arrow()\n"
        "print(json.dumps([len(table), str(table.schema.field('price').type)]))"
    ) == [number, "decimal128(38, 12)"]


def test_ducklake_is_exact(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its extension comes from PyPI, where there is none for the newest DuckDB yet."""
    monkeypatch.setenv("HOME", f"{tmp_path}")  # where DuckDB keeps extensions
    monkeypatch.setenv("DESTINATION__DUCKLAKE__CREDENTIALS__CATALOG", "duckdb:///lake.duckdb")
    packages = "duckdb==1.5.5", "duckdb-extension-ducklake==1.5.5"
    environment, loader = Environment(tmp_path, *packages), Loader(tmp_path)
    environment.says(
        "import duckdb, duckdb_extension_ducklake as package, pathlib\n"
        "(file,) = pathlib.Path(package.__file__).parent.rglob('*.duckdb_extension')\n"
        "duckdb.sql(f\"INSTALL '{file}'\"); print(1)"
    )
    environment.load(loader, server, "--destination=ducklake")
    found = environment.says(
        "import duckdb; c = duckdb.connect(); c.execute('LOAD ducklake'); c.execute("
        f"\"ATTACH 'ducklake:{tmp_path / 'lake.duckdb'}' AS lake\")\n"
        f"print(json.dumps(c.execute({QUERY.format('lake.tap_twilio_usage')!r}).fetchone()))"
    )
    assert found[1:] == EXACT
