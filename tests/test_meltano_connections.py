"""Several connections with real Meltano, and what it passes on of lists and booleans."""

from __future__ import annotations

import json
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from sandbox import Company, Server, connections
from tests.canary import leaks
from tests.conftest import DAYS, FIRST, LAST, MELTANO, Meltano, Query, clean_environment

SINCE = FIRST - timedelta(days=15)  # so that all subaccounts exist
BY_KEYS = {
    "TWILIO_ACCOUNT_SID": "",
    "TWILIO_AUTH_TOKEN": "",
    "TAP_TWILIO_USAGE_SUBACCOUNTS": "separate",
}


@pytest.mark.nightly
def test_one_meltano_run_loads_three_companies_with_restricted_keys(
    meltano: Meltano, query: Query
) -> None:
    companies = [
        Company(today=LAST, since=SINCE, categories=60, subaccounts=subaccounts, number=number)
        for number, subaccounts in enumerate((14, 13, 13), 1)
    ]
    given = connections(companies)
    with Server(companies[0], others=companies[1:]) as server:
        log = meltano.run(
            server, "target-postgres", TAP_TWILIO_USAGE_CONNECTIONS=json.dumps(given), **BY_KEYS
        )
    assert not leaks(log, [each["api_key_secret"] for each in given])
    loaded = {
        (sid, day): total
        for sid, day, total in query(
            "SELECT account_sid, start_date, SUM(deduplicated_price) FROM usage_records_daily "
            "GROUP BY 1, 2"
        )
    }
    accounts = [(company, account) for company in companies for account in company.accounts()]
    assert len(accounts) == len(given) == 43
    totals = {
        (account.sid, day): company.total(day, account.sid, include_subaccounts=False)
        for company, account in accounts
        for day in DAYS
    }
    assert {place: total for place, total in loaded.items() if total} == {
        place: total for place, total in totals.items() if total
    }


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "CONNECTIONS",
            '[{"auth_token": "s3cret-token"}',
            "connections: must be a list of objects",
        ),
        ("CONNECTIONS", "s3cret-token", "connections: must be a list of objects"),
        ("BILLING_GROUP_IDS", '["s3cret-group"', "billing_group_ids: must be a list of strings"),
        ("BILLING_GROUP_IDS", "s3cret-group,", "billing_group_ids: ID 1 is not valid"),
        ("FOCUS", "maybe", "focus: 'maybe' is not a boolean; use true or false"),
    ],
)
def test_meltano_shows_no_secret_of_a_list_that_is_none(
    installed: Path, tmp_path: Path, name: str, text: str, message: str
) -> None:
    done = invoke(installed, tmp_path, {f"TAP_TWILIO_USAGE_{name}": text})
    assert done.returncode == 1
    assert message in done.stdout
    assert "s3cret" not in done.stdout


@pytest.mark.nightly
def test_meltano_passes_on_lists_with_commas_and_in_json(installed: Path, tmp_path: Path) -> None:
    """And lists of the project file, whose secrets come from the environment."""
    settings = {
        "TAP_TWILIO_USAGE_BILLING_GROUP_IDS": "commerce_billingprofile_a,commerce_billingprofile_b",
        "TAP_TWILIO_USAGE_FOCUS": "false",
        "TAP_TWILIO_USAGE_CONNECTIONS": '[{"account_sid": "AC12", "auth_token": "s3cret-token"}]',
    }
    done = invoke(installed, tmp_path, settings)
    assert "connections: connection 1: account_sid must be AC" in done.stdout
    assert "billing_group_ids" not in done.stdout.partition("ERROR")[2]
    project = installed / "meltano.yml"
    before = project.read_text()
    given = (
        "    config:\n      connections:\n      - account_sid: AC34\n        auth_token: $MINE\n"
    )
    try:
        project.write_text(before.replace("    # Meltano's own default,", f"{given}    #", 1))
        done = invoke(installed, tmp_path, {"MINE": "s3cret\u00e9"})
    finally:
        project.write_text(before)
    assert "connection 1: account_sid must be AC" in done.stdout
    assert "connection 1: auth_token contains whitespace or a character" in done.stdout
    assert "s3cret" not in done.stdout


def invoke(project: Path, home: Path, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [MELTANO, "invoke", "tap-twilio-usage", "--discover"],
        cwd=project,
        env={
            **clean_environment(),
            "MELTANO_DATABASE_URI": f"sqlite:///{home / 'meltano.db'}",
            **settings,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
