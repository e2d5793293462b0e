"""The sandbox over real HTTP: it behaves as Twilio's documentation says."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox import (
    API_KEY_SECRET,
    API_KEY_SID,
    AUTH_TOKEN,
    BILLING_GROUP_IDS,
    CLIENT_ID,
    CLIENT_SECRET,
    MAIN_SID,
    Company,
    Server,
)
from tests.busy import Busy

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
TODAY = date(2026, 3, 20)
SINCE = date(2025, 11, 1)
NEW_FROM = date(2026, 2, 10)
DAY = date(2026, 3, 4)
DAYS = [SINCE + timedelta(days=n) for n in range((TODAY - SINCE).days + 1)]
AUTH = (MAIN_SID, AUTH_TOKEN)
KEY_AUTH = (API_KEY_SID, API_KEY_SECRET)
SUBACCOUNT = "AC" + "2".zfill(32)
SUBACCOUNT_AUTH = (SUBACCOUNT, f"{AUTH_TOKEN}-2")
OVERLAPS = {"authy-sms-outbound", "authy-calls-outbound"}


def new_company(**options: Any) -> Company:
    return Company(**{"since": SINCE, "today": TODAY, "new_category_from": NEW_FROM, **options})


@pytest.fixture(scope="module")
def company() -> Company:
    """Return a company that no test changes."""
    return new_company()


@pytest.fixture(scope="module")
def server(company: Company) -> Iterator[Server]:
    with Server(company) as running:
        yield running


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as opened:
        opened.trust_env = False
        yield opened


class Client:
    def __init__(self, server: Server, session: requests.Session) -> None:
        self.server = server
        self.session = session

    def get(
        self, path: str, auth: tuple[str, str] | None = AUTH, **query: Any
    ) -> requests.Response:
        url = path if path.startswith("/") else f"/2010-04-01/Accounts/{path}"
        return self.session.get(
            self.server.url + url,
            params={name: str(value) for name, value in query.items()},
            auth=auth,
            timeout=30,
        )

    def records(self, resource: str, sid: str = MAIN_SID, **query: Any) -> list[dict[str, Any]]:
        """Return the records of all pages."""
        found: list[dict[str, Any]] = []
        path: str | None = f"{sid}/Usage/Records{resource}.json"
        query = {"PageSize": 1000, **query}
        while path:
            answer = self.get(path, **query)
            assert answer.status_code == 200, answer.text
            found += answer.json()["usage_records"]
            path, query = answer.json()["next_page_uri"], {}
        return found

    def day(self, day: date = DAY, sid: str = MAIN_SID, **query: Any) -> dict[str, Any]:
        rows = self.records("/Daily", sid, StartDate=day, EndDate=day, **query)
        return {row["category"]: row for row in rows}

    def error(self, path: str, auth: tuple[str, str] | None = AUTH, **query: Any) -> Any:
        """Return the status and the Twilio error code."""
        answer = self.get(path, auth, **query)
        body = answer.json()
        assert set(body) == {"code", "message", "more_info", "status"}
        assert body["status"] == answer.status_code
        assert body["more_info"].endswith(str(body["code"]))
        return answer.status_code, body["code"]


@pytest.fixture
def client(server: Server, session: requests.Session) -> Client:
    return Client(server, session)


def prices(rows: dict[str, Any]) -> dict[str, Decimal]:
    return {name: Decimal(row["price"]) for name, row in rows.items()}


DAILY = f"{MAIN_SID}/Usage/Records/Daily.json"


# --- records


def test_a_page_has_the_documented_envelope_and_records(client: Client) -> None:
    answer = client.get(DAILY, StartDate=DAY, EndDate=DAY, Category="sms").json()
    [record] = answer.pop("usage_records")
    uri = (
        f"/2010-04-01/Accounts/{DAILY}"
        "?Category=sms&StartDate=2026-03-04&EndDate=2026-03-04&PageSize=50&Page=0"
    )
    assert answer == {
        "uri": uri,
        "first_page_uri": uri,
        "next_page_uri": None,
        "previous_page_uri": None,
        "page": 0,
        "page_size": 50,
        "start": 0,
        "end": 0,
    }
    as_of = datetime.fromisoformat(record["as_of"])
    assert timedelta() <= datetime.now(timezone.utc) - as_of < timedelta(minutes=1)
    assert record["uri"].endswith(
        "/Daily.json?Category=sms&StartDate=2026-03-04&EndDate=2026-03-04"
    )
    assert len(record["subresource_uris"]) == 8
    for name in ("count", "usage", "price"):
        assert isinstance(record[name], str)
    assert record["account_sid"] == MAIN_SID
    assert (record["count_unit"], record["usage_unit"]) == ("messages", "segments")
    assert (record["price_unit"], record["api_version"]) == ("usd", "2010-04-01")
    assert record["start_date"] == record["end_date"] == "2026-03-04"


def test_totalprice_has_no_count_and_its_price_as_usage(client: Client) -> None:
    row = client.day()["totalprice"]
    assert (row["count"], row["count_unit"]) == (None, "")
    assert row["usage"] == row["price"]


@pytest.mark.parametrize("path", [f"{MAIN_SID}/Usage/Records", f"{MAIN_SID}/Usage/Records.json"])
def test_the_default_is_all_time_in_pages_of_fifty(client: Client, path: str) -> None:
    answer = client.get(path).json()
    assert len(answer["usage_records"]) == answer["page_size"] == 50
    assert {(row["start_date"], row["end_date"]) for row in answer["usage_records"]} == {
        (str(SINCE), str(TODAY))
    }


def test_the_page_size_is_clipped_to_a_thousand(client: Client) -> None:
    answer = client.get(DAILY, PageSize=5000).json()
    assert len(answer["usage_records"]) == answer["page_size"] == 1000


def test_pages_hold_each_row_once_newest_day_first(client: Client, company: Company) -> None:
    rows = client.records("/Daily", StartDate="2026-02-08", EndDate="2026-02-11", PageSize=90)
    keys = Counter((row["start_date"], row["category"]) for row in rows)
    assert set(keys.values()) == {1}
    assert [row["start_date"] for row in rows] == sorted(
        (row["start_date"] for row in rows), reverse=True
    )
    expected = {
        (str(day), name)
        for day in (date(2026, 2, n) for n in (8, 9, 10, 11))
        for name in company.reported(day)
    }
    assert set(keys) == expected


def test_the_link_to_the_previous_page_leads_back(client: Client) -> None:
    first = client.get(DAILY, PageSize=7).json()
    second = client.get(first["next_page_uri"]).json()
    assert (second["page"], second["start"], second["end"]) == (1, 7, 13)
    back = client.get(second["previous_page_uri"]).json()
    assert [r["uri"] for r in back["usage_records"]] == [r["uri"] for r in first["usage_records"]]


def test_a_page_token_must_match_its_page(client: Client) -> None:
    uri = client.get(DAILY, PageSize=7).json()["next_page_uri"]
    assert "PageToken=PA" in uri
    assert client.error(uri.replace("PageToken=PA", "PageToken=PB")) == (400, 20001)
    assert client.error(uri.replace("Page=1", "Page=2")) == (400, 20001)
    assert client.error(DAILY, Page=1) == (400, 20001)


def test_rows_are_sorted_oldest_first_on_request(
    company: Company, session: requests.Session
) -> None:
    with Server(company, order="oldest") as running:
        rows = Client(running, session).records("/Daily", Category="sms")
    assert [row["start_date"] for row in rows] == list(map(str, DAYS))


def test_unknown_and_misspelled_parameters_are_ignored(client: Client) -> None:
    miswritten: dict[str, Any] = {
        "startdate": DAY,
        "endDate": DAY,
        "colour": "red",
        "Category": "sms",
    }
    assert len(client.records("/Daily", **miswritten)) == len(DAYS)


def test_every_category_has_a_row_for_every_day(client: Client) -> None:
    rows = client.day()
    assert 290 <= len(rows) <= 300
    zero = [row for row in rows.values() if row["price"] == row["count"] == row["usage"] == "0"]
    assert 150 < len(zero) < 230


@pytest.mark.parametrize("categories", [150, 520])
def test_the_number_of_categories_can_be_set(categories: int) -> None:
    assert len(new_company(categories=categories).reported(SINCE)) == categories


def test_dates_can_be_offsets_from_today(client: Client) -> None:
    rows = client.records("/Daily", StartDate="-2days", EndDate="-1days", Category="sms")
    assert [row["start_date"] for row in rows] == ["2026-03-19", "2026-03-18"]


def test_a_range_is_cut_to_the_days_of_the_account(client: Client) -> None:
    query: dict[str, Any] = {"Category": "sms", "PageSize": 1000}
    early = client.records("/Daily", StartDate="2020-01-01", EndDate="2025-11-02", **query)
    assert [row["start_date"] for row in early] == ["2025-11-02", "2025-11-01"]
    late = client.records("/Daily", StartDate=TODAY, EndDate="+30days", **query)
    assert [row["start_date"] for row in late] == [str(TODAY)]


@pytest.mark.parametrize(
    ("resource", "first", "last"),
    [
        ("/Today", "2026-03-20", "2026-03-20"),
        ("/Yesterday", "2026-03-19", "2026-03-19"),
        ("/ThisMonth", "2026-03-01", "2026-03-20"),
        ("/LastMonth", "2026-02-01", "2026-02-28"),
        ("/AllTime", "2025-11-01", "2026-03-20"),
    ],
)
def test_a_named_period_is_the_sum_of_its_days(
    client: Client, company: Company, resource: str, first: str, last: str
) -> None:
    [row] = client.records(resource, Category="totalprice")
    assert (row["start_date"], row["end_date"]) == (first, last)
    days = [day for day in DAYS if first <= str(day) <= last]
    assert Decimal(row["price"]) == sum(company.total(day) for day in days)


def test_months_and_years_are_cut_to_the_range(client: Client) -> None:
    query: dict[str, Any] = {"Category": "sms", "StartDate": "2025-12-15", "EndDate": "2026-02-03"}
    months = client.records("/Monthly", **query)
    assert [(row["start_date"], row["end_date"]) for row in months] == [
        ("2026-02-01", "2026-02-03"),
        ("2026-01-01", "2026-01-31"),
        ("2025-12-15", "2025-12-31"),
    ]
    years = client.records("/Yearly", **query)
    assert [(row["start_date"], row["end_date"]) for row in years] == [
        ("2026-01-01", "2026-02-03"),
        ("2025-12-15", "2025-12-31"),
    ]
    assert sum(Decimal(row["price"]) for row in months) == sum(
        Decimal(row["price"]) for row in years
    )


@pytest.mark.parametrize(
    ("account", "category", "fee"),
    [(MAIN_SID, "totalprice", "7.5"), (MAIN_SID, "sms", "0"), (SUBACCOUNT, "totalprice", "0")],
)
def test_a_late_fee_is_in_the_month_and_in_none_of_its_days(
    session: requests.Session, account: str, category: str, fee: str
) -> None:
    company = new_company(late_fees={date(2026, 1, 1): Decimal("7.5")})
    query: dict[str, Any] = {
        "Category": category,
        "StartDate": "2026-01-01",
        "EndDate": "2026-02-28",
    }
    sums: dict[str, dict[str, Decimal]] = {"Daily": {}, "Monthly": {}}
    with Server(company) as running:
        for resource, found in sums.items():
            path = f"{account}/Usage/Records/{resource}.json"
            answer = Client(running, session).get(path, PageSize="100", **query).json()
            for row in answer["usage_records"]:
                month = row["start_date"][:7]
                found[month] = found.get(month, Decimal(0)) + Decimal(row["price"])
    differences = {month: sums["Monthly"][month] - price for month, price in sums["Daily"].items()}
    assert differences == {"2026-01": Decimal(fee), "2026-02": 0}


def test_the_case_of_category_names_is_kept(client: Client) -> None:
    assert "Usage-RCS-Messages" in client.day()
    assert "usage-rcs-messages" not in client.day()


# --- errors


@pytest.mark.parametrize(
    "query",
    [
        {"StartDate": "2026-03-05", "EndDate": "2026-03-04"},
        {"StartDate": "2020-01-01", "EndDate": "2020-01-31"},
        {"StartDate": "2026-03-21"},
        {"StartDate": "+1days", "EndDate": "+2days"},
    ],
)
def test_a_range_without_days_of_the_account_is_not_found(
    client: Client, query: dict[str, Any]
) -> None:
    assert client.error(DAILY, **query) == (404, 20404)


@pytest.mark.parametrize("text", ["2026-02-30", "20260301", "03/01/2026", "yesterday", "-9days9"])
def test_an_invalid_date_is_refused(client: Client, text: str) -> None:
    assert client.error(DAILY, StartDate=text) == (400, 20001)


@pytest.mark.parametrize("path", ["/", "/2010-04-01/Nothing.json", f"{MAIN_SID}/Usage/Hourly.json"])
def test_an_unknown_path_is_not_found(client: Client, path: str) -> None:
    assert client.error(path) == (404, 20404)


def test_too_many_concurrent_requests_are_refused(company: Company) -> None:
    def ask(_: int) -> requests.Response:
        return requests.get(url, auth=AUTH, timeout=30)

    with Busy(company, max_concurrent=2, retry_after="3", refusals=4) as running:
        url = f"{running.url}/2010-04-01/Accounts/{MAIN_SID}.json"
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(ask, range(6)))
        after = ask(0)
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) == 4
    assert {answer.json()["code"] for answer in refused} == {20429}
    assert {answer.headers["Retry-After"] for answer in refused} == {"3"}
    assert after.status_code == 200


def test_an_answer_takes_as_long_as_the_latency(company: Company) -> None:
    with Server(company, latency=0.2) as running:
        began = time.monotonic()
        requests.get(f"{running.url}/2010-04-01/Accounts/{MAIN_SID}.json", auth=AUTH, timeout=30)
        assert time.monotonic() - began >= 0.2


def test_as_many_clients_as_allowed_are_never_refused(company: Company) -> None:
    def ask(_: int) -> None:
        with requests.Session() as session:
            for _ in range(40):
                Client(running, session).get(f"{MAIN_SID}.json")

    with Server(company, max_concurrent=3) as running:
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(ask, range(3)))
        assert {request.status for request in running.requests} == {200}


def test_retry_after_is_left_out_unless_given(company: Company) -> None:
    with Busy(company, max_concurrent=1, refusals=1) as running:
        url = f"{running.url}/2010-04-01/Accounts/{MAIN_SID}.json"
        with ThreadPoolExecutor(2) as pool:
            asked = [pool.submit(requests.get, url, auth=AUTH, timeout=30) for _ in range(2)]
        answers = sorted((each.result() for each in asked), key=lambda a: a.status_code)
    assert [answer.status_code for answer in answers] == [200, 429]
    assert "Retry-After" not in answers[1].headers


# --- credentials


@pytest.mark.parametrize(
    "auth", [None, (MAIN_SID, "wrong"), (API_KEY_SID, AUTH_TOKEN), (SUBACCOUNT, AUTH_TOKEN)]
)
def test_wrong_credentials_are_refused(client: Client, auth: tuple[str, str] | None) -> None:
    assert client.error(DAILY, auth) == (401, 20003)


def test_the_auth_token_reads_every_account(client: Client, company: Company) -> None:
    for account in company.accounts():
        assert client.get(f"{account.sid}.json").json()["sid"] == account.sid
        assert client.day(sid=account.sid)["totalprice"]["account_sid"] == account.sid
    assert client.error(f"AC{'9' * 32}/Usage/Records.json") == (404, 20404)


def test_an_api_key_reads_its_own_account_only(client: Client) -> None:
    assert client.get(DAILY, KEY_AUTH).status_code == 200
    assert client.error("/2010-04-01/Accounts.json", KEY_AUTH) == (401, 20003)
    assert client.error(f"{SUBACCOUNT}/Usage/Records.json", KEY_AUTH) == (401, 20003)


def test_a_subaccount_reads_itself_only(client: Client) -> None:
    assert client.get(f"{SUBACCOUNT}/Usage/Records.json", SUBACCOUNT_AUTH).status_code == 200
    assert client.error(DAILY, SUBACCOUNT_AUTH) == (404, 20404)
    listed = client.get("/2010-04-01/Accounts.json", SUBACCOUNT_AUTH).json()["accounts"]
    assert [account["sid"] for account in listed] == [SUBACCOUNT]


def test_accounts_are_listed_with_their_tokens(client: Client) -> None:
    accounts = client.get("/2010-04-01/Accounts.json").json()["accounts"]
    assert [account["status"] for account in accounts] == [
        "closed",
        "suspended",
        "active",
        "active",
    ]
    assert {account["auth_token"] for account in accounts} == {
        AUTH_TOKEN,
        *(f"{AUTH_TOKEN}-{n}" for n in (2, 3, 4)),
    }
    assert accounts[-1]["date_created"] == "Sat, 01 Nov 2025 00:00:00 +0000"
    assert {account["owner_account_sid"] for account in accounts} == {MAIN_SID}


def test_the_list_of_accounts_has_pages(client: Client) -> None:
    page = client.get("/2010-04-01/Accounts.json", PageSize=3).json()
    rest = client.get(page["next_page_uri"]).json()
    assert [len(page["accounts"]), len(rest["accounts"])] == [3, 1]
    assert rest["next_page_uri"] is None


# --- costs


def test_rolled_up_is_the_sum_of_the_accounts(client: Client, company: Company) -> None:
    together = prices(client.day())
    apart = [prices(client.day(sid=a.sid, IncludeSubaccounts="false")) for a in company.accounts()]
    assert together == {name: sum(rows[name] for rows in apart) for name in together}
    assert apart[0] != together


def test_one_account_has_no_usage(company: Company) -> None:
    used = {
        account.status: any(company.charges(account.sid, day) for day in DAYS)
        for account in company.accounts()
    }
    assert used == {"active": True, "suspended": True, "closed": False}


def test_the_true_costs_of_each_day_add_up_to_totalprice(client: Client, company: Company) -> None:
    reported = {
        row["start_date"]: Decimal(row["price"])
        for row in client.records("/Daily", Category="totalprice")
    }
    assert reported == {str(day): sum(company.truth(day).values(), Decimal(0)) for day in DAYS}
    homes = {name for day in DAYS for name in company.truth(day)}
    assert {"totalprice", "calls", "sms", "channels-whatsapp"} <= homes
    assert not OVERLAPS & homes


def test_a_row_includes_the_costs_of_its_subcategories(client: Client, company: Company) -> None:
    row, truth = prices(client.day()), company.truth(DAY)
    inbound = [name for name in truth if name.startswith("sms-inbound")]
    assert row["sms-inbound"] == sum(truth[name] for name in inbound)
    own = row["sms"] - row["sms-inbound"] - row["sms-outbound"]
    assert own == truth["sms"] > 0


def test_overlaps_repeat_costs(client: Client, company: Company) -> None:
    row = prices(client.day())
    for overlap in OVERLAPS:
        parent = overlap.removeprefix("authy-")
        assert 0 < row[overlap] <= company.truth(DAY)[parent]


def test_an_overlap_is_part_of_the_roll_up_of_its_own_family(
    client: Client, company: Company
) -> None:
    row, truth = prices(client.day()), company.truth(DAY)
    family = ("verify-voice-sms", "authy-verify-email-verifications", "verify-push")
    own = sum((truth[name] for name in family), Decimal(0))
    repeated = sum((row[name] for name in OVERLAPS), Decimal(0))
    assert row["account-security"] == own + repeated
    assert row["authy-phone-verifications"] == row["verify-voice-sms"] > 0


def test_the_naive_sum_is_much_too_large(company: Company) -> None:
    for day in DAYS:
        naive = sum(row.price for row in company.rows(day) if row.category != "totalprice")
        assert Decimal("1.8") < naive / company.total(day) < Decimal("3.8")


def test_the_company_is_realistic(company: Company) -> None:
    homes = {name for day in DAYS for name, price in company.truth(day).items() if price}
    assert 60 <= len(homes) <= 100
    charges = [charge for day in DAYS for charge in company.charges(MAIN_SID, day)]
    assert any(charge.price < 0 for charge in charges)
    assert {-int(charge.price.as_tuple().exponent) for charge in charges} == {4, 6}
    monday, sunday = date(2026, 3, 9), date(2026, 3, 8)
    assert company.total(sunday) < company.total(monday) / 2
    assert "premiumsupport-percentage-spend" in company.truth(date(2026, 3, 1))
    assert "premiumsupport-percentage-spend" not in company.truth(DAY)


def test_unknown_categories_appear_from_their_date(client: Client) -> None:
    new = {"sms-outbound-satellite", "quantum-relay"}
    before = client.day(NEW_FROM - timedelta(days=1))
    after = prices(client.day(NEW_FROM))
    assert not new & set(before)
    assert all(after[name] > 0 for name in new)


def test_charges_do_not_depend_on_today_or_since(company: Company) -> None:
    other = new_company(today=date(2026, 6, 1), since=date(2025, 2, 1))
    assert other.charges(MAIN_SID, DAY) == company.charges(MAIN_SID, DAY)
    assert new_company(seed=2).charges(MAIN_SID, DAY) != company.charges(MAIN_SID, DAY)


def test_the_same_seed_gives_the_same_rows_in_another_process(company: Company) -> None:
    program = (
        "from datetime import date\nfrom sandbox import Company\n"
        f"c = Company(since={SINCE!r}, today={TODAY!r}, new_category_from={NEW_FROM!r})\n"
        f"print([tuple(map(str, row)) for row in c.rows({DAY!r})])"
    ).replace("datetime.date", "date")
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str([tuple(map(str, row)) for row in company.rows(DAY)])


# --- restatement


@pytest.fixture
def changing(session: requests.Session) -> Iterator[Client]:
    with Server(new_company()) as running:
        yield Client(running, session)


def test_a_restated_price_changes_every_parent(changing: Client) -> None:
    before = prices(changing.day())
    old = changing.server.company.truth(DAY, include_subaccounts=False)["sms-messages-carrierfees"]
    changing.server.company.restate(DAY, "sms-messages-carrierfees", price="99.123456")
    after = prices(changing.day())
    grown = {name for name in after if after[name] != before[name]}
    assert grown == {"sms-messages-carrierfees", "channels", "totalprice"}
    assert {after[name] - before[name] for name in grown} == {Decimal("99.123456") - old}


def test_a_factor_can_restate_to_zero(changing: Client) -> None:
    for account in changing.server.company.accounts()[:3]:
        changing.server.company.restate(
            DAY, "sms-inbound-shortcode", price_factor=0, account=account.sid
        )
    row = changing.day()["sms-inbound-shortcode"]
    assert (row["price"], row["count"], row["usage"]) == ("0", "0", "0")


def test_a_restated_overlap_changes_what_it_repeats(changing: Client) -> None:
    before = prices(changing.day())
    changing.server.company.restate(DAY, "authy-sms-outbound", price_factor="1.5")
    after = prices(changing.day())
    added = after["authy-sms-outbound"] - before["authy-sms-outbound"]
    assert added > 0
    assert {after[name] - before[name] for name in ("sms-outbound", "sms", "totalprice")} == {added}


def test_a_factor_needs_a_charge(company: Company) -> None:
    with pytest.raises(ValueError, match="has no charge on 2026-03-04"):
        company.restate(DAY, "wireless-orders", price_factor="2")


def test_a_charge_can_be_in_a_new_category(changing: Client) -> None:
    before = prices(changing.day())
    changing.server.company.charge(DAY, "calls-telepathy", "1.25", parent="calls")
    after = prices(changing.day())
    assert (after["calls-telepathy"], after["calls"]) == (
        Decimal("1.25"),
        before["calls"] + Decimal("1.25"),
    )
    assert "calls-telepathy" not in changing.day(DAY - timedelta(days=1))
    assert changing.day(DAY + timedelta(days=1))["calls-telepathy"]["price"] == "0"


# --- server and command


def test_requests_are_recorded_without_credentials(changing: Client) -> None:
    changing.get(DAILY, StartDate="2020-13-01")
    [request] = changing.server.requests
    assert request == ("GET", f"/2010-04-01/Accounts/{DAILY}", {"StartDate": "2020-13-01"}, 400)


def test_nothing_answers_after_stop(company: Company) -> None:
    before = threading.active_count()
    with requests.Session() as session:
        with Server(company) as running:
            client = Client(running, session)
            assert client.get(f"{MAIN_SID}.json").status_code == 200
        with pytest.raises(requests.ConnectionError):
            client.get(f"{MAIN_SID}.json")
    assert threading.active_count() <= before + 1


def command(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sandbox", *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.fixture
def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def test_the_server_starts_and_stops(tmp_path: Path, free_port: int) -> None:
    port = f"--port={free_port}"
    url = f"http://127.0.0.1:{free_port}"
    try:
        form = "--billing=parameters=form,status=201"
        started = command("start", port, "--today=2026-01-02", form, cwd=tmp_path)
        assert (started.returncode, started.stdout, started.stderr) == (0, f"{url}\n", "")
        again = command("start", port, cwd=tmp_path)
        assert (again.returncode, again.stdout) == (0, f"{url} (already running)\n")
        answer = requests.get(
            f"{url}/2010-04-01/Accounts/{MAIN_SID}/Usage/Records/Today.json", auth=AUTH, timeout=30
        )
        assert answer.json()["usage_records"][0]["start_date"] == "2026-01-02"
        app = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        grant = {"grant_type": "client_credentials", **app}
        token = requests.post(f"{url}/v2/token", data=grant, timeout=30).json()["access_token"]
        group = f"{url}/v2/Usage/BillingGroups/{BILLING_GROUP_IDS[0]}/Records"
        bearer = {"Authorization": f"Bearer {token}"}
        sent = {"startDate": "2026-01-02"}
        assert requests.post(group, json=sent, headers=bearer, timeout=30).status_code == 400
        assert requests.post(group, data=sent, headers=bearer, timeout=30).status_code == 201
    finally:
        stopped = command("stop", port, cwd=tmp_path)
    assert (stopped.returncode, stopped.stdout, stopped.stderr) == (0, "", "")
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=5)
    assert command("stop", port, cwd=tmp_path).returncode == 0
    log = (tmp_path / ".sandbox" / f"{free_port}.log").read_text()
    assert log == f"{url}\n"
    assert (tmp_path / ".sandbox" / ".gitignore").read_text() == "*\n"


def test_start_says_when_the_port_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        failed = command("start", f"--port={port}", cwd=tmp_path)
    assert failed.returncode == 1
    assert failed.stderr == f"sandbox: port {port} is taken by something else\n"


def test_an_unused_server_stops_by_itself(tmp_path: Path) -> None:
    done = command("serve", "--port=0", "--idle-minutes=0.001", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("http://127.0.0.1:")


def test_all_bodies_are_json(client: Client) -> None:
    assert json.loads(client.get("/").text)["code"] == 20404
