"""README and `docs/`: every command and query runs, and every link has a target."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import psycopg
import pytest

from sandbox import AUTH_TOKEN, MAIN_SID, Company, Server
from sandbox.invoice import invoice
from tests.canary import leaks
from tests.conftest import FIRST, LAST, ROOT, address, blocks, clean_environment

INDEX = ROOT / "docs" / "index.md"  # the first page of the site, as README is here
README, *DOCS = PAGES = [ROOT / "README.md", *sorted({*(ROOT / "docs").glob("*.md")} - {INDEX})]
LINKED = [*PAGES, INDEX, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
# Each of these is in a query that returns the rows that differ, of which there are none.
DIFFERENCES = [
    "numeric_scale < 12",
    "HAVING COALESCE(SUM(",
    "<> COALESCE(closed.",
    "WHERE difference <> 0",
]
WORDS_PER_MINUTE = 238  # silent reading, Brysbaert 2019


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub creates for a page's headings."""
    headings = re.findall(r"(?m)^#+ (.*)$", page.read_text())
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.name)
def test_every_link_has_a_target(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    for path, _, anchor in (link.partition("#") for link in links if "://" not in link):
        target = page.parent / path if path else page
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"


def test_the_readme_or_the_page_on_costs_links_to_every_page() -> None:
    text = README.read_text() + (ROOT / "docs" / "finops.md").read_text().replace("](", "](docs/")
    assert not [page.name for page in DOCS if f"](docs/{page.name})" not in text]


def test_the_readme_takes_three_minutes_to_read_at_most() -> None:
    """This counts the prose; readers look at code and tables when they need them."""
    prose = re.sub(r"(?ms)^```.*?^```$|^\|.*?$|\]\(.*?\)", " ", README.read_text())
    assert len(prose.split()) <= 3 * WORDS_PER_MINUTE


def fill_in(path: Path, values: dict[str, str]) -> None:
    """Set the values in a copy of .secrets.example."""
    text = path.read_text()
    for name, value in values.items():
        text, found = re.subn(rf"(?m)^(?:# )?{name}=.*$", f"{name}={value}", text)
        assert found == 1, name
    path.write_text(text)


@pytest.mark.nightly
def test_every_command_and_query_runs(
    installed: Path,
    database: str,
    company: Company,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("MELTANO_DATABASE_URI", f"sqlite:///{tmp_path / 'meltano.db'}")
    bill = invoice(company, LAST)
    (installed / "invoices").mkdir(exist_ok=True)
    (installed / "invoices" / bill.file_name).write_text(bill.csv(), newline="")
    # Run by test_orchestrate.py, test_dbt_charges.py and test_install.py.
    elsewhere = {"many-accounts.md", "rebilling.md", "install.md"}
    pages = [page for page in PAGES if page.name not in elsewhere]
    lines = "".join(block for page in pages for block in blocks(page, "sh")).splitlines()
    with Server(company) as server:
        for command in dict.fromkeys(lines):
            if command.startswith("python3 -m venv "):
                continue  # the demo, run by test_readme.py, and the command that runs these tests
            log = run(command, installed)
            if command == "cp .secrets.example .env":
                settings = {
                    "TWILIO_ACCOUNT_SID": MAIN_SID,
                    "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
                    "TAP_TWILIO_USAGE_START_DATE": f"{FIRST}",
                    **address(database),
                }
                fill_in(installed / ".env", settings)
                with (installed / ".env").open("a") as file:
                    file.write(f"TAP_TWILIO_USAGE_API_URL={server.url}\n")
                    file.write(f"TAP_TWILIO_USAGE_END_DATE={LAST}\n")
            elif "--test" in command:
                assert "usage_records_daily can be read" in log
            elif "_FOCUS=true" in command:
                assert "lacks days" not in log
    with psycopg.connect(database) as connection:
        connection.execute("CREATE SCHEMA aws")
        connection.execute("CREATE TABLE aws.focus (LIKE tap_twilio_usage.focus_cost_and_usage)")
        # Run by test_targets.py, test_dbt_charges.py and test_agents.py.
        elsewhere = {"targets.md", "rebilling.md", "agents.md"}
        pages = [page for page in PAGES if page.name not in elsewhere]
        for query in (query for page in pages for query in blocks(page, "sql")):
            finds_what_is_wrong = any(difference in query for difference in DIFFERENCES)
            assert bool(connection.execute(query).fetchall()) != finds_what_is_wrong, query


def run(command: str, folder: Path) -> str:
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    found_something = 3 if "report:alerts" in command else 0
    assert done.returncode in {0, found_something}, f"{command}\n{done.stdout}"
    assert not leaks(done.stdout, [AUTH_TOKEN])
    return done.stdout
