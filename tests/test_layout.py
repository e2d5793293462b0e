"""The rules of the house that import-linter cannot hold."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "tap_twilio_usage"


def loaded(statement: str) -> set[str]:
    """Return the top-level modules that a new Python has loaded after the statement."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", sorted(p.stem for p in (PACKAGE / "money").glob("[a-z]*.py")))
def test_money_is_pure(module: str) -> None:
    found = loaded(f"import tap_twilio_usage.money.{module}")
    assert not found & {"requests", "urllib3", "backoff", "singer_sdk", "jsonschema", "click"}


def test_deduplicate_comes_without_the_sdk() -> None:
    found = loaded("from tap_twilio_usage import deduplicate")
    assert not found & {"requests", "backoff", "singer_sdk"}


def test_the_pipeline_needs_no_sdk() -> None:
    assert "singer_sdk" not in loaded("import tap_twilio_usage.sync.pipeline")


def test_no_import_starts_a_thread_or_reads_a_setting() -> None:
    statement = (
        "import os, threading; os.environ['TAP_TWILIO_USAGE_PAGE_SIZE'] = 'x'; "
        "import tap_twilio_usage.tap; assert threading.active_count() == 1"
    )
    assert "singer_sdk" in loaded(statement)


def test_private_parts_of_the_sdk_are_in_one_module() -> None:
    """Imports of private modules and overrides of underscore hooks: `singer/sdk.py` has them."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        if path == PACKAGE / "singer" / "sdk.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("singer_sdk"):
                names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
                if any(name.startswith("_") for name in names):
                    found.append(f"{path.name}: {node.module}")
            if isinstance(node, ast.FunctionDef) and node.name.startswith("_"):
                decorators = {getattr(each, "id", "") for each in node.decorator_list}
                if "override" in decorators and not node.name.startswith("__"):
                    found.append(f"{path.name}: {node.name}")
    assert found == []
