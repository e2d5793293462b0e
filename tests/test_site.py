"""The site of the documentation, as MkDocs builds it."""

from __future__ import annotations

import json
import mimetypes
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import expect

from tests.chromium import chromium
from tests.conftest import ROOT
from tests.http_server import Answer, Request, serve

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


@pytest.fixture(scope="module")
def url(site: Path) -> Iterator[str]:
    def answer(request: Request) -> Answer:
        file = site / request.path.lstrip("/")
        kind, _ = mimetypes.guess_type(file)
        return Answer(file.read_bytes(), headers={"Content-Type": kind or "text/plain"})

    with serve(answer) as server:
        yield server.url


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


def test_a_reader_finds_a_page_and_nothing_is_asked_of_other_hosts(url: str) -> None:
    asked: list[str] = []
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 390, "height": 844})  # a phone
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{url}/index.html")
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        page.locator("label[for=__search]:visible").first.click()
        page.get_by_placeholder("Search").press_sequentially("DuckDB")
        found = page.locator(".md-search-result__list")
        expect(found).to_contain_text("target-duckdb", timeout=60_000)
    assert f"{url}/search/search_index.json" in asked
    assert not [each for each in asked if not each.removeprefix("blob:").startswith(f"{url}/")]
