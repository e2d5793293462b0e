"""What GitHub runs, and what CONTRIBUTING.md and SECURITY.md name."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import PYPROJECT, PYTHONS, ROOT, VERSION

WORKFLOWS = {path.stem: path for path in (ROOT / ".github" / "workflows").iterdir()}
# An action of this repository is that of the same commit.
PINNED = re.compile(r"uses: (\./\S+|[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)")
WRITES = {"publish": {"id-token": "write"}, "notes": {"contents": "write"}}
COMMAND = Path(".ci", "release-notes")
CHANGELOG = """# Changelog

## Unreleased

- Later.

## 9.9.9 - 2026-12-01

### Added

- This.

## 9.9.8 - 2026-11-01

- That.
"""


def workflow(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(WORKFLOWS[name].read_text())
    return found


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_action_is_pinned_by_commit(name: str) -> None:
    uses = [line for line in WORKFLOWS[name].read_text().splitlines() if "uses:" in line]
    assert uses
    assert not [line for line in uses if not PINNED.fullmatch(line.strip(" -"))]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_do_no_more_than_it_must(name: str) -> None:
    whole = workflow(name)
    assert whole["permissions"] in ({}, {"contents": "read"})
    assert "secrets." not in WORKFLOWS[name].read_text()
    for job, does in whole["jobs"].items():
        permissions = does.get("permissions", whole["permissions"])
        assert permissions == WRITES.get(job, {"contents": "read"})
        assert "uses" in does or does["timeout-minutes"]
        for step in does.get("steps", []):
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_every_python_that_is_supported_is_tested() -> None:
    jobs = workflow("test")["jobs"]
    (check,) = (step for step in jobs["all"]["steps"] if "python-version" in step.get("with", {}))
    tested = [check["with"]["python-version"], *jobs["tests"]["strategy"]["matrix"]["python"]]
    assert sorted(tested) == sorted(PYTHONS)


def test_what_is_left_out_by_default_runs_every_night() -> None:
    assert "\n  schedule:\n" in WORKFLOWS["nightly"].read_text()
    assert {"run": ".ci/run --all"} in workflow("nightly")["jobs"]["all"]["steps"]
    assert "-m ''" in (ROOT / ".ci" / "run").read_text()
    assert "-m 'not nightly'" in PYPROJECT


def test_the_coverage_is_gated() -> None:
    assert "fail_under = 98\n" in PYPROJECT
    (step,) = (each for each in workflow("test")["jobs"]["coverage"]["steps"] if "name" in each)
    assert step["run"].endswith('README.md) --cov"')


def test_nothing_is_published_that_was_not_tested() -> None:
    jobs = workflow("release")["jobs"]
    assert jobs["test"]["uses"] == f"./{WORKFLOWS['test'].relative_to(ROOT)}"
    assert set(jobs["publish"]["needs"]) == {"test", "test-as-built"}
    assert jobs["publish"]["environment"] == "pypi"
    assert jobs["notes"]["needs"] == "publish"


def release_notes(changelog: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / ".ci").mkdir()
    shutil.copy(ROOT / COMMAND, folder / COMMAND)
    (folder / "pyproject.toml").write_text('version = "9.9.9"\n')
    (folder / "CHANGELOG.md").write_text(changelog)
    return subprocess.run([folder / COMMAND, "v9.9.9"], capture_output=True, text=True, check=False)


def test_the_notes_of_a_release_are_its_part_of_the_changelog(tmp_path: Path) -> None:
    done = release_notes(CHANGELOG, tmp_path)
    assert done.stdout.strip() == "### Added\n\n- This."


def test_a_release_without_a_word_in_the_changelog_is_refused(tmp_path: Path) -> None:
    done = release_notes(CHANGELOG.replace("9.9.9", "9.9.7"), tmp_path)
    assert (done.returncode, done.stderr) == (1, "CHANGELOG.md says nothing of v9.9.9\n")


def test_a_tag_of_another_version_is_refused() -> None:
    done = subprocess.run(
        [ROOT / COMMAND, f"v{VERSION}.1"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, f"pyproject.toml is not of v{VERSION}.1\n")


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "SECURITY.md"])
def test_what_is_named_is_there(name: str) -> None:
    text = (ROOT / name).read_text()
    places = [ROOT, ROOT / "tap_twilio_usage", ROOT / "tap_twilio_usage" / "data"]
    paths = re.findall(r"`([\w./-]+(?:/|\.(?:py|md|yml|toml|csv|json)))`", text)
    paths += re.findall(r"(?<= )(?:\.ci|tests)/[\w/.-]+\w", text)
    assert paths
    assert not [path for path in paths if not any((place / path).exists() for place in places)]
    for module in re.findall(r"-m ((?:sandbox|focus_check|benchmarks|tests)[.\w]*)", text):
        path = ROOT / module.replace(".", "/")
        assert (path / "__main__.py").exists() or path.with_suffix(".py").exists()


def test_what_is_run_first_is_the_readmes_command_without_the_tests() -> None:
    (whole,) = re.findall(r"(?m)^python3 .* && .*pytest$", (ROOT / "README.md").read_text())
    assert f"\n{whole.rpartition(' && ')[0]}\n" in (ROOT / "CONTRIBUTING.md").read_text()
