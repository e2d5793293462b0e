"""The GitHub workflows, and the files that CONTRIBUTING.md and SECURITY.md name."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml
from hatchling.metadata.core import ProjectMetadata
from jsonschema.validators import validator_for
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.conftest import PYPROJECT, PYTHONS, ROOT, VERSION, blocks

PACKAGE = ROOT / "tap_twilio_usage"
REPORT = PACKAGE / "report"
DLT = PACKAGE / "dlt"
MODULES_OF_EXTRAS = {
    "alerts": {*(PACKAGE / "alerts").rglob("*.py")},
    "dlt": {*DLT.rglob("*.py")},
    "parquet": {PACKAGE / "raw" / "parquet_file.py"},
    "report": {*REPORT.rglob("*.py"), PACKAGE / "focus" / "files.py"},
}
JUST = Path(sys.executable).with_name("just")
PROJECT = ProjectMetadata(str(ROOT), None).config["project"]

WORKFLOWS = {path.stem: path for path in (ROOT / ".github" / "workflows").iterdir()}
# An action of this repository comes from the same commit.
PINNED = re.compile(r"uses: (\./\S+|[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)")
WRITES = {
    "publish": {"id-token": "write"},
    "notes": {"contents": "write"},
    "pages": {"pages": "write", "id-token": "write"},
}
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
def test_a_workflow_has_only_the_permissions_it_needs(name: str) -> None:
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


def test_every_supported_python_is_tested() -> None:
    jobs = workflow("test")["jobs"]
    (check,) = (step for step in jobs["all"]["steps"] if "python-version" in step.get("with", {}))
    matrices = [jobs[job]["strategy"]["matrix"]["python"] for job in ("tests", "tap")]
    tested = [check["with"]["python-version"], *chain(*matrices)]
    assert sorted(tested) == sorted(PYTHONS)


def test_the_newest_sdk_is_tested_and_may_fail() -> None:
    (job,) = workflow("sdk")["jobs"].values()
    assert job["continue-on-error"] is True
    (newest,) = re.findall(r"\.ci/tap-tests '(.+)'", job["steps"][-1]["run"])
    asked = Requirement(newest)
    (pinned,) = (
        each for each in map(Requirement, PROJECT["dependencies"]) if each.name == asked.name
    )
    assert asked.extras == pinned.extras
    (lowest,) = asked.specifier
    assert lowest.operator == ">="
    assert Version(lowest.version).is_prerelease  # so that pip takes pre-releases at all
    assert not pinned.specifier.contains(lowest.version, prereleases=True)


def test_the_tests_of_the_tap_itself_exist() -> None:
    names = re.findall(r"tests/\w+\.py", (ROOT / ".ci" / "tap-tests").read_text())
    assert names
    assert all((ROOT / name).exists() for name in names)


def test_nightly_tests_run_every_night() -> None:
    assert "\n  schedule:\n" in WORKFLOWS["nightly"].read_text()
    assert {"run": ".ci/run --all"} in workflow("nightly")["jobs"]["all"]["steps"]
    assert "-m ''" in (ROOT / ".ci" / "run").read_text()
    assert "-m 'not nightly'" in PYPROJECT


def test_the_coverage_is_gated() -> None:
    assert "fail_under = 98\n" in PYPROJECT
    (step,) = (each for each in workflow("test")["jobs"]["coverage"]["steps"] if "name" in each)
    assert step["run"].endswith('README.md) --cov"')


def test_only_tested_files_are_published() -> None:
    jobs = workflow("release")["jobs"]
    assert jobs["test"]["uses"] == f"./{WORKFLOWS['test'].relative_to(ROOT)}"
    assert set(jobs["publish"]["needs"]) == {"test", "test-as-built"}
    assert jobs["publish"]["environment"] == "pypi"
    assert jobs["notes"]["needs"] == "publish"


def release_notes(changelog: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / ".ci").mkdir()
    shutil.copy(ROOT / COMMAND, folder / COMMAND)
    (folder / PACKAGE.name).mkdir()
    (folder / PACKAGE.name / "__init__.py").write_text('__version__ = "9.9.9"\n')
    (folder / "CHANGELOG.md").write_text(changelog)
    return subprocess.run([folder / COMMAND, "v9.9.9"], capture_output=True, text=True, check=False)


def test_release_notes_are_the_changelog_section_of_the_version(tmp_path: Path) -> None:
    done = release_notes(CHANGELOG, tmp_path)
    assert done.stdout.strip() == "### Added\n\n- This."


def test_a_release_without_a_changelog_section_is_refused(tmp_path: Path) -> None:
    done = release_notes(CHANGELOG.replace("9.9.9", "9.9.7"), tmp_path)
    assert (done.returncode, done.stderr) == (1, "CHANGELOG.md says nothing of v9.9.9\n")


def test_a_tag_of_another_version_is_refused() -> None:
    done = subprocess.run(
        [ROOT / COMMAND, f"v{VERSION}.1"], capture_output=True, text=True, check=False
    )
    expected = f"__version__ in tap_twilio_usage/__init__.py is not {VERSION}.1\n"
    assert (done.returncode, done.stderr) == (1, expected)


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "SECURITY.md"])
def test_every_named_file_and_module_exists(name: str) -> None:
    text = (ROOT / name).read_text()
    places = [ROOT, ROOT / "tap_twilio_usage", ROOT / "tap_twilio_usage" / "data"]
    paths = re.findall(r"`([\w./-]+(?:/|\.(?:py|md|yml|toml|csv|json)))`", text)
    paths += re.findall(r"(?<= )(?:\.ci|tests)/[\w/.-]+\w", text)
    assert paths
    assert not [path for path in paths if not any((place / path).exists() for place in places)]
    for module in re.findall(r"-m ((?:sandbox|focus_check|benchmarks|tests)[.\w]*)", text):
        path = ROOT / module.replace(".", "/")
        assert (path / "__main__.py").exists() or path.with_suffix(".py").exists()


def test_the_setup_command_is_that_of_the_readme() -> None:
    (whole,) = re.findall(r"(?m)^python3 .* && .*pytest$", (ROOT / "README.md").read_text())
    assert f"\n{whole.rpartition(' && ')[0]}\n" in (ROOT / "CONTRIBUTING.md").read_text()


def test_the_recipes_of_just_are_the_commands_of_contributing() -> None:
    blocks_of_commands = blocks(ROOT / "CONTRIBUTING.md", "sh")[:2]
    written = [
        line.partition("  #")[0].strip()
        for block in blocks_of_commands
        for line in block.splitlines()
    ]
    names = subprocess.check_output([JUST, "--summary"], text=True, cwd=ROOT).split()
    arguments = {"test": ["tests/test_dedup.py"]}
    commands = [
        subprocess.run(
            [JUST, "--dry-run", name, *arguments.get(name, [])],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        ).stderr.strip()
        for name in names
    ]
    assert sorted(commands) == sorted(written)


def test_what_ci_checks_is_what_a_commit_checks() -> None:
    assert "\n  .venv/bin/pre-commit run --all-files" in (ROOT / ".ci" / "run").read_text()
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert local["repo"] == "local"  # with the versions of the dev group
    entries = [hook["entry"] for hook in local["hooks"]]
    assert all(entry.startswith(".venv/bin/") for entry in entries)
    for tool in ("ruff check", "ruff format", "mypy", "lint-imports"):
        assert any(entry.startswith(f".venv/bin/{tool}") for entry in entries)


def test_meltano_accepts_its_project_file() -> None:
    """By the schema of the version that is installed; check-jsonschema has an older one."""
    schema = json.loads(files("meltano.schemas").joinpath("meltano.schema.json").read_text())
    project = yaml.safe_load((ROOT / "meltano.yml").read_text())
    errors = validator_for(schema)(schema).iter_errors(project)
    assert not [(error.json_path, error.message) for error in errors]


def test_settings_are_in_the_order_in_which_meltano_writes_them() -> None:
    """Else `meltano config set` would move them."""
    order = ["name", "env", "kind", "value", "label", "description", "options", "sensitive"]
    plugins = yaml.safe_load((ROOT / "meltano.yml").read_text())["plugins"]
    for plugin in (*plugins["extractors"], *plugins["loaders"]):
        for setting in plugin.get("settings", []):
            assert list(setting) == sorted(setting, key=order.index)


def test_the_owner_is_the_same_everywhere() -> None:
    hub = yaml.safe_load((ROOT / "hub" / "tap-twilio-usage.yml").read_text())
    listed = subprocess.check_output(["git", "ls-files"], text=True, cwd=ROOT).splitlines()
    texts = [
        path.read_text("utf-8", "replace") for name in listed if (path := ROOT / name).is_file()
    ]
    owners = [re.findall(r"github\.com/([\w-]+)/tap-twilio-usage", text) for text in texts]
    assert {*chain(*owners)} == {hub["variant"]}
    assert hub["repo"] == PROJECT["urls"]["Homepage"]
    assert all(url.startswith(hub["repo"]) for url in PROJECT["urls"].values())


def name_of(requirement: str) -> str:
    return canonicalize_name(Requirement(requirement).name)


def imported(paths: Iterable[Path]) -> set[str]:
    """Return the distributions of others whose packages the modules import."""
    names = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    providers = packages_distributions()
    return {
        canonicalize_name(distribution)
        for name in names - sys.stdlib_module_names - {PACKAGE.name}
        for distribution in providers[name]
    }


def test_what_the_tap_imports_is_what_it_declares() -> None:
    modules = {*PACKAGE.rglob("*.py")}.difference(*MODULES_OF_EXTRAS.values())
    assert imported(modules) == {name_of(each) for each in PROJECT["dependencies"]}


@pytest.mark.parametrize("extra", MODULES_OF_EXTRAS)
def test_what_an_extra_imports_is_declared(extra: str) -> None:
    declared = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"][extra]]
    assert imported(MODULES_OF_EXTRAS[extra]) <= {name_of(each) for each in declared}
