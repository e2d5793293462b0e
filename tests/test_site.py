"""The site of the documentation, as MkDocs builds it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

MKDOCS = Path(sys.executable).with_name("mkdocs")
REPORT = "<!doctype html><title>Report</title><p>of the demo"


def build(folder: Path, report: Path) -> Path:
    subprocess.run(
        [MKDOCS, "build", "--strict", "--site-dir", folder / "site"],
        cwd=ROOT,
        env={**os.environ, "TWILIO_USAGE_REPORT": f"{report}"},
        check=True,
    )
    return folder / "site"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    report = folder / "report.html"
    report.write_text(REPORT)
    return build(folder, report)


def test_the_first_page_shows_the_report_of_the_demo(site: Path) -> None:
    assert (site / "report.html").read_text() == REPORT
    assert '<iframe src="report.html"' in (site / "index.html").read_text()


def test_every_page_is_there_and_loads_nothing_from_elsewhere(site: Path) -> None:
    names = {"first-load", "changelog", "contributing", "security"}
    pages = names | {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert pages <= {path.stem for path in site.glob("*.html")}
    for page in site.glob("*.html"):
        tags = re.findall(r"<(?:script|img|link|iframe)[^>]*>", page.read_text())
        loaded = [tag for tag in tags if 'rel="canonical"' not in tag]
        assert not [tag for tag in loaded if re.search(r"""(?:src|href)=["']?https?:""", tag)]
        for picture in re.findall(r'<img[^>]* src="([^"]+)"', page.read_text()):
            assert (site / picture).exists()
    assert not list(site.rglob("*.py*"))


def test_links_to_code_lead_to_the_repository(site: Path) -> None:
    repository = yaml.safe_load(PROJECT)["repo_url"] + "/blob/main/"
    assert (
        f'href="{repository}tap_twilio_usage/money/dedup.py"'
        in (site / "deduplication.html").read_text()
    )
    assert 'href="first-load.html#try-the-demo"' in (site / "install.html").read_text()
    assert 'href="dlt.html"' in (site / "first-load.html").read_text()


PROJECT = re.sub("!ENV .*", "''", (ROOT / "mkdocs.yml").read_text())


def test_the_search_finds_words_of_every_page(site: Path) -> None:
    found = json.loads((site / "search" / "search_index.json").read_text())["docs"]
    assert "exit code" in " ".join(f"{each}" for each in found)
    assert {each["location"].partition("#")[0] for each in found} >= {
        path.with_suffix(".html").name for path in (ROOT / "docs").glob("*.md")
    }


def test_the_pages_are_in_the_order_of_a_day() -> None:
    titles = [next(iter(entry)) for entry in yaml.safe_load(PROJECT)["nav"]]
    assert titles == [
        *("Home", "Install", "First load", "Your warehouse", "Your questions"),
        *("Every night", "When something is wrong", "Reference"),
    ]
