"""The benchmarks of the forecast and the anomalies work; their figures are not checked here."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from benchmarks.spending import FIRST, Change, Spender
from tests.conftest import ROOT

SMS = "sms-outbound-longcode"


def test_the_same_name_gives_the_same_spending() -> None:
    assert [*Spender("7-1").rows()] == [*Spender("7-1").rows()]
    assert [*Spender("7-1").rows()] != [*Spender("7-2").rows()]


@pytest.mark.parametrize("share", [0, 1])
def test_a_change_adds_to_its_days_only(share: float) -> None:
    change = Change("SMS pumping", SMS, FIRST + timedelta(days=200), days=3, usage=1000)
    without = {(r.day, r.category): r.usage for r in Spender("7-1", share).rows()}
    found = {(r.day, r.category): r.usage for r in Spender("7-1", share, changes=[change]).rows()}
    more = {
        key: found[key] - without.get(key, 0) for key in found if found[key] != without.get(key)
    }
    assert more == {(change.first + timedelta(days=n), SMS): 1000 for n in range(3)}


@pytest.mark.nightly
def test_the_benchmarks_print_their_figures_and_draw(tmp_path: Path) -> None:
    """One test for both, because the first of them installs dbt."""
    for name, said in (("forecast", "coverage of accounts"), ("anomalies", "recall")):
        picture = tmp_path / f"{name}.svg"
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}", "--quick", "--picture", str(picture)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert said in done.stdout
        assert "; seeds " in done.stdout
        assert picture.read_text().startswith("<svg")


@pytest.mark.parametrize("name", ["forecast", "anomalies"])
def test_the_picture_is_shown_in_the_documentation(name: str) -> None:
    assert f"](../benchmarks/{name}.svg)" in (ROOT / "docs" / f"{name}.md").read_text()
    assert (ROOT / "benchmarks" / f"{name}.svg").stat().st_size < 30000
