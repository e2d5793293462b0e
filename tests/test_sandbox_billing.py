"""The sandbox's billing groups (Usage API v2) and its token endpoint, over real HTTP."""

from __future__ import annotations

import http.client
import json
import re
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox import (
    AUTH_TOKEN,
    BILLING_GROUP_IDS,
    CLIENT_ID,
    CLIENT_SECRET,
    LEGACY_BILLING_GROUP_ID,
    MAIN_SID,
    BillingForm,
    Company,
    Server,
    oauth,
)
from sandbox.__main__ import main
from sandbox.billing_form import read_form
from tests.busy import Busy

if TYPE_CHECKING:
    from collections.abc import Iterator

TODAY = date(2026, 3, 20)
SINCE = date(2025, 11, 1)
DAY = date(2026, 3, 4)
DAYS = [SINCE + timedelta(days=n) for n in range((TODAY - SINCE).days + 1)]
GROUP, OTHER_GROUP = BILLING_GROUP_IDS
FORM = {
    "grant_type": "client_credentials",
    "client_id": CLIENT_ID,
    "client_secret": CLIENT_SECRET,
}
FORM_TYPE = "application/x-www-form-urlencoded"
FOREVER = {"startDate": str(SINCE), "endDate": str(TODAY)}


def path_of(group: str) -> str:
    return f"/v2/Usage/BillingGroups/{group}/Records"


PATH = path_of(GROUP)


def new_company(**options: Any) -> Company:
    return Company(**{"since": SINCE, "today": TODAY, **options})


def on(day: date, **more: Any) -> dict[str, Any]:
    return {"startDate": str(day), "endDate": str(day), "aggregationPeriod": "DAILY", **more}


class Client:
    """A caller with its own token, which it uses to request records by default."""

    def __init__(self, server: Server, session: requests.Session) -> None:
        self.server = server
        self.session = session
        self.bearer = {"Authorization": f"Bearer {self.token()}"}

    def token(self) -> str:
        answer = self.post("/v2/token", data=FORM)
        assert answer.status_code == 200, answer.text
        token = answer.json()["access_token"]
        assert isinstance(token, str)
        return token

    def post(self, path: str, **options: Any) -> requests.Response:
        return self.session.post(self.server.url + path, timeout=30, **options)

    def ask(self, parameters: Any, group: str = GROUP) -> requests.Response:
        return self.post(path_of(group), json=parameters, headers=self.bearer)

    def page(self, parameters: dict[str, Any], group: str = GROUP) -> dict[str, Any]:
        answer = self.ask(parameters, group)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = json.loads(answer.text, parse_float=Decimal, parse_int=Decimal)
        return found

    def records(self, parameters: dict[str, Any], group: str = GROUP) -> list[dict[str, Any]]:
        """Return the records of all pages."""
        found: list[dict[str, Any]] = []
        token: str | None = None
        while True:
            page = self.page({"pageSize": 1000, "pageToken": token, **parameters}, group)
            found += page["records"]
            token = page["meta"]["nextToken"]
            if token is None:
                return found


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


@pytest.fixture
def client(server: Server, session: requests.Session) -> Client:
    return Client(server, session)


@pytest.fixture
def changing(session: requests.Session) -> Iterator[Client]:
    with Server(new_company()) as running:
        yield Client(running, session)


def error(answer: requests.Response) -> tuple[int, int]:
    """Return the status and the Twilio error code."""
    body = answer.json()
    assert set(body) == {"code", "message", "more_info", "status"}
    assert body["status"] == answer.status_code
    assert body["more_info"] == f"https://www.twilio.com/docs/errors/{body['code']}"
    return answer.status_code, body["code"]


def products(records: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(row["productCategory"], row["productName"]) for row in records}


def total(records: list[dict[str, Any]]) -> Decimal:
    return sum((Decimal(row["price"]["amount"]) for row in records), Decimal(0))


def periods(records: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return the different periods in order."""
    return list(dict.fromkeys((row["startDate"], row["endDate"]) for row in records))


# --- tokens


def test_the_credentials_have_twilios_form() -> None:
    assert re.fullmatch("OQ[0-9a-f]{32}", CLIENT_ID)
    assert all(group.startswith("commerce_billingprofile_") for group in BILLING_GROUP_IDS)


def test_client_credentials_get_a_new_token(client: Client) -> None:
    answer = client.post("/v2/token", data=FORM)
    body = answer.json()
    token = body.pop("access_token")
    assert (answer.status_code, body) == (200, {"token_type": "bearer", "expires_in": 3600})
    assert len(token) >= 32
    assert token != client.token()


def test_expires_in_is_whole_seconds(company: Company, session: requests.Session) -> None:
    with Server(company, token_lifetime=90.7) as running:
        answer = Client(running, session).post("/v2/token", data=FORM)
    assert answer.json()["expires_in"] == 90


def test_a_token_is_valid_until_it_expires(
    company: Company, session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(oauth, "clock", lambda: now)
    with Server(company, token_lifetime=2.0) as running:
        client = Client(running, session)
        assert client.ask(on(DAY)).status_code == 200
        now += 1.9
        assert client.ask(on(DAY)).status_code == 200
        now += 0.1
        assert error(client.ask(on(DAY))) == (401, 20003)


def test_revoked_tokens_are_invalid_and_new_ones_are_valid(changing: Client) -> None:
    assert changing.ask(on(DAY)).status_code == 200
    changing.server.revoke_tokens()
    assert error(changing.ask(on(DAY))) == (401, 20003)
    assert Client(changing.server, changing.session).ask(on(DAY)).status_code == 200


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"data": {**FORM, "client_secret": "wrong"}},
        {"data": {**FORM, "client_id": MAIN_SID}},
        {"data": {**FORM, "client_id": MAIN_SID, "client_secret": AUTH_TOKEN}},
        {"json": FORM},
        {"data": json.dumps(FORM), "headers": {"Content-Type": FORM_TYPE}},
        {"data": FORM, "headers": {"Content-Type": "application/json"}},
        {"data": {"grant_type": "client_credentials"}, "auth": (CLIENT_ID, CLIENT_SECRET)},
        {"params": FORM},
    ],
)
def test_wrong_client_credentials_are_refused(client: Client, options: dict[str, Any]) -> None:
    assert error(client.post("/v2/token", **options)) == (401, 20003)


@pytest.mark.parametrize("grant", [{"grant_type": "password"}, {"grant_type": ""}])
def test_a_wrong_grant_type_is_refused(client: Client, grant: dict[str, str]) -> None:
    assert error(client.post("/v2/token", data={**FORM, **grant})) == (400, 20001)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"auth": (MAIN_SID, AUTH_TOKEN)},
        {"auth": (CLIENT_ID, CLIENT_SECRET)},
        {"headers": {"Authorization": "Bearer"}},
        {"headers": {"Authorization": f"Bearer {CLIENT_SECRET}"}},
    ],
)
@pytest.mark.parametrize("group", [GROUP, LEGACY_BILLING_GROUP_ID, "unknown"])
def test_records_need_a_bearer_token(client: Client, group: str, options: dict[str, Any]) -> None:
    answer = client.post(path_of(group), json=on(DAY), **options)
    assert error(answer) == (401, 20003)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_token_is_not_valid_for_another_scheme(client: Client) -> None:
    basic = {"Authorization": client.bearer["Authorization"].replace("Bearer", "Basic")}
    assert error(client.post(PATH, json=on(DAY), headers=basic)) == (401, 20003)
    accounts = f"{client.server.url}/2010-04-01/Accounts.json"
    assert error(client.session.get(accounts, headers=client.bearer, timeout=30)) == (401, 20003)


# --- groups and methods


def test_an_unknown_group_is_not_found(client: Client) -> None:
    assert error(client.ask(on(DAY), "commerce_billingprofile_nobody")) == (404, 20404)


def test_a_legacy_group_is_refused(client: Client) -> None:
    answer = client.ask(on(DAY), LEGACY_BILLING_GROUP_ID)
    assert error(answer) == (400, 71001)
    assert answer.json()["message"] == "Billing group is not eligible for this API version"


@pytest.mark.parametrize("auth", [None, (MAIN_SID, AUTH_TOKEN)])
@pytest.mark.parametrize("path", [PATH, "/v2/token"])
def test_get_is_not_allowed(client: Client, path: str, auth: tuple[str, str] | None) -> None:
    answer = client.session.get(client.server.url + path, auth=auth, timeout=30)
    assert error(answer) == (405, 20004)
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize("path", ["/", "/v2/Usage/BillingGroups", f"{PATH}/Daily", "/v1/token"])
def test_an_unknown_path_is_not_found(client: Client, path: str) -> None:
    assert error(client.post(path, data=FORM, headers=client.bearer)) == (404, 20404)


@pytest.mark.parametrize("subaccounts", [0, 1, 2, 3, 6])
def test_groups_partition_the_accounts(subaccounts: int) -> None:
    company = new_company(subaccounts=subaccounts)
    members = [sid for group in BILLING_GROUP_IDS for sid in company.billed_accounts(group)]
    assert sorted(members) == sorted(account.sid for account in company.accounts())
    assert MAIN_SID in company.billed_accounts(GROUP)
    for day in (DAY, DAY.replace(day=1)):
        parts = [company.billing_total(group, day) for group in BILLING_GROUP_IDS]
        assert sum(parts) == company.total(day)


def test_a_group_without_accounts_has_no_records(session: requests.Session) -> None:
    with Server(new_company(subaccounts=0)) as running:
        client = Client(running, session)
        assert client.records(FOREVER, OTHER_GROUP) == []
        assert total(client.records(on(DAY))) == running.company.total(DAY) > 0


# --- records


def test_a_page_has_the_documented_shape(client: Client) -> None:
    answer = client.ask(on(DAY, productCategory="sms-inbound"))
    assert answer.headers["Content-Type"].startswith("application/json")
    body = answer.json()
    assert set(body) == {"asOf", "records", "meta"}
    assert body["asOf"] == str(TODAY)
    assert body["meta"] == {
        "key": "items",
        "pageSize": 20,
        "previousToken": None,
        "nextToken": None,
    }
    by_name = {row["productName"]: row for row in body["records"]}
    row = by_name["Long Code Inbound SMS"]
    assert set(row) == {
        "productName",
        "productCategory",
        "startDate",
        "endDate",
        "usage",
        "price",
    }
    assert (row["startDate"], row["endDate"]) == (str(DAY), str(DAY))
    assert set(row["usage"]) == {"amount", "unit"}
    assert isinstance(row["usage"]["amount"], str)
    assert row["usage"]["unit"] == "segments"
    assert set(row["price"]) == {"amount", "currency"}
    assert isinstance(row["price"]["amount"], float)
    assert row["price"]["currency"] == "USD"


def test_a_row_adds_up_the_charges_of_the_group(client: Client, company: Company) -> None:
    charges = [
        charge
        for sid in company.billed_accounts(OTHER_GROUP)
        for charge in company.charges(sid, DAY)
        if charge.category == "sms-inbound-longcode"
    ]
    rows = client.records(on(DAY, productCategory="sms-inbound"), OTHER_GROUP)
    [row] = [row for row in rows if row["productName"] == "Long Code Inbound SMS"]
    assert Decimal(row["usage"]["amount"]) == sum(charge.usage for charge in charges) > 0
    assert row["price"]["amount"] == sum(charge.price for charge in charges) > 0


def test_every_day_adds_up_to_the_true_costs(client: Client, company: Company) -> None:
    found: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for group in BILLING_GROUP_IDS:
        for row in client.records({**FOREVER, "aggregationPeriod": "DAILY"}, group):
            assert row["startDate"] == row["endDate"]
            found[group, row["startDate"]] += row["price"]["amount"]
    truth = {
        (group, str(day)): company.billing_total(group, day)
        for group in BILLING_GROUP_IDS
        for day in DAYS
    }
    assert found == {key: amount for key, amount in truth.items() if amount}
    for day in DAYS:
        parts = [found[group, str(day)] for group in BILLING_GROUP_IDS]
        assert sum(parts) == company.total(day)


def test_credits_are_negative(client: Client) -> None:
    records = client.records({**FOREVER, "aggregationPeriod": "DAILY"})
    negative = {row["productName"] for row in records if row["price"]["amount"] < 0}
    assert negative == {"Credit Transfer", "Min Spend Adjustments"}


def test_a_price_has_all_its_decimals(changing: Client) -> None:
    changing.server.company.charge(DAY, "gadget", "-1234567890.123456789012")
    answer = changing.ask(on(DAY, productCategory="gadget"))
    assert '"amount": -1234567890.123456789012,' in answer.text


def test_a_product_is_identified_by_category_and_name_together(client: Client) -> None:
    records = client.records(on(DAY))
    found = products(records)
    assert len(records) == len(found) > 50
    categories = Counter(category for category, _ in found)
    names = Counter(name for _, name in found)
    assert categories["sms-inbound"] == 3
    assert names["Carrier Fees"] == 3
    assert {("sms", "Carrier Fees"), ("mms", "Carrier Fees")} <= found


def test_products_have_readable_names_and_technical_categories(client: Client) -> None:
    found = products(client.records(FOREVER))
    assert ("other", "Other Charges") in found
    for category, name in found:
        assert category == category.lower().replace(" ", "-")
        assert name[0].isupper()
        assert "-" not in name


def test_overlaps_are_not_products(client: Client, company: Company) -> None:
    shown = {name for _, name in products(client.records(FOREVER))}
    overlaps = {
        company.category(charge.repeated_in).description
        for charge in company.charges(MAIN_SID, DAY)
        if charge.repeated_in
    }
    assert len(overlaps) == 2
    assert not overlaps & shown


def test_unused_products_have_no_row(client: Client) -> None:
    records = client.records({**FOREVER, "aggregationPeriod": "DAILY"})
    assert all(Decimal(row["usage"]["amount"]) for row in records)
    monthly_fee = [row for row in records if row["productName"] == "Local Phone Numbers"]
    assert {row["startDate"][-2:] for row in monthly_fee} == {"01"}


def test_a_product_restated_to_zero_has_no_row(changing: Client) -> None:
    company = changing.server.company
    before = products(changing.records(on(DAY)))
    for sid in company.billed_accounts(GROUP):
        company.restate(DAY, "verify-push", price=0, account=sid)
    assert before - products(changing.records(on(DAY))) == {("account-security", "Verify Push")}


def test_a_restatement_is_visible_in_its_group_at_once(changing: Client) -> None:
    company = changing.server.company
    before = [total(changing.records(on(DAY), group)) for group in BILLING_GROUP_IDS]
    company.charge(DAY, "calls-telepathy", "1.25", parent="calls")
    after = [total(changing.records(on(DAY), group)) for group in BILLING_GROUP_IDS]
    assert after == [before[0] + Decimal("1.25"), before[1]]
    assert ("calls", "Calls Telepathy") in products(changing.records(on(DAY)))


def test_product_category_filters(client: Client) -> None:
    everything = client.records(on(DAY))
    sms = client.records(on(DAY, productCategory="sms"))
    assert sms == [row for row in everything if row["productCategory"] == "sms"]
    assert 0 < len(sms) < len(everything)
    assert client.records(on(DAY, productCategory="smoke-signals")) == []


# --- periods


def test_months_are_cut_to_the_range(client: Client) -> None:
    asked = {"startDate": "2025-12-15", "endDate": "2026-02-03"}
    months = client.records({**asked, "aggregationPeriod": "MONTHLY"})
    assert periods(months) == [
        ("2026-02-01", "2026-02-03"),
        ("2026-01-01", "2026-01-31"),
        ("2025-12-15", "2025-12-31"),
    ]
    sums: dict[str, defaultdict[tuple[str, ...], Decimal]] = {}
    for aggregation in ("MONTHLY", "DAILY"):
        sums[aggregation] = defaultdict(Decimal)
        for row in client.records({**asked, "aggregationPeriod": aggregation}):
            key = (row["productCategory"], row["productName"], row["startDate"][:7])
            sums[aggregation][key] += row["price"]["amount"]
    assert sums["MONTHLY"] == sums["DAILY"]
    assert len(months) == len(sums["MONTHLY"])


def test_monthly_is_the_default(client: Client) -> None:
    asked = {"startDate": "2026-01-01", "endDate": "2026-02-28"}
    assert client.records(asked) == client.records({**asked, "aggregationPeriod": "MONTHLY"})
    assert len(periods(client.records(asked))) == 2


def test_the_range_includes_both_ends(client: Client) -> None:
    asked = {"startDate": "2026-02-27", "endDate": "2026-03-01", "aggregationPeriod": "DAILY"}
    days = ["2026-03-01", "2026-02-28", "2026-02-27"]
    assert periods(client.records(asked)) == [(day, day) for day in days]


def test_rows_are_sorted_oldest_first_on_request(
    company: Company, session: requests.Session
) -> None:
    with Server(company, order="oldest") as running:
        records = Client(running, session).records({**FOREVER, "aggregationPeriod": "DAILY"})
    assert [first for first, _ in periods(records)] == list(map(str, DAYS))


@pytest.mark.parametrize(
    ("first", "last"), [("2020-01-01", "2020-01-31"), ("2026-03-21", "2026-03-31")]
)
@pytest.mark.parametrize("aggregation", ["DAILY", "MONTHLY"])
def test_days_without_usage_have_no_records(
    client: Client, first: str, last: str, aggregation: str
) -> None:
    page = client.page({"startDate": first, "endDate": last, "aggregationPeriod": aggregation})
    assert (page["records"], page["meta"]["nextToken"]) == ([], None)


def test_future_days_are_left_out(client: Client) -> None:
    asked = {"startDate": "2026-03-19", "endDate": "2026-04-30"}
    daily = client.records({**asked, "aggregationPeriod": "DAILY"})
    assert [first for first, _ in periods(daily)] == ["2026-03-20", "2026-03-19"]
    assert periods(client.records(asked)) == [("2026-03-19", "2026-03-20")]


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ({}, "2026-03-01", "2026-03-20"),
        ({"startDate": "2026-02-10"}, "2026-02-10", "2026-03-20"),
        ({"endDate": "2026-02-10"}, "2026-02-01", "2026-02-10"),
        ({"startDate": None, "endDate": None, "timePeriod": None}, "2026-03-01", "2026-03-20"),
        ({"timePeriod": "YESTERDAY"}, "2026-03-19", "2026-03-19"),
        ({"timePeriod": "THIS_MONTH"}, "2026-03-01", "2026-03-20"),
        ({"timePeriod": "LAST_MONTH"}, "2026-02-01", "2026-02-28"),
        ({"timePeriod": "THIS_YEAR"}, "2026-01-01", "2026-03-20"),
    ],
)
def test_default_dates_and_time_periods_are_relative_to_today(
    client: Client, asked: dict[str, str], first: str, last: str
) -> None:
    found = periods(client.records({**asked, "aggregationPeriod": "DAILY"}))
    assert (found[-1][0], found[0][1]) == (first, last)


def test_a_start_date_alone_may_be_in_the_future(client: Client) -> None:
    assert client.records({"startDate": "2026-12-01"}) == []


@pytest.mark.parametrize("dates", [{"startDate": "2026-03-01"}, {"endDate": "2026-03-01"}])
def test_a_time_period_cannot_be_combined_with_dates(client: Client, dates: dict[str, str]) -> None:
    assert error(client.ask({"timePeriod": "THIS_MONTH", **dates})) == (400, 20001)


def test_a_range_has_at_most_one_year(client: Client) -> None:
    longest = {"startDate": "2025-03-21", "endDate": "2026-03-20"}
    assert client.ask(longest).status_code == 200
    assert error(client.ask({**longest, "startDate": "2025-03-20"})) == (400, 20001)
    assert error(client.ask({"startDate": "2025-03-20"})) == (400, 20001)


def test_a_leap_year_is_a_valid_time_period(session: requests.Session) -> None:
    company = new_company(since=date(2024, 1, 1), today=date(2024, 12, 31))
    with Server(company) as running:
        records = Client(running, session).records({"timePeriod": "THIS_YEAR"})
    assert (records[-1]["startDate"], records[0]["endDate"]) == ("2024-01-01", "2024-12-31")


# --- wrong parameters


@pytest.mark.parametrize("name", ["startDate", "endDate"])
@pytest.mark.parametrize("value", ["2026-02-30", "20260301", "03/01/2026", "-1days", "", 20260301])
def test_an_unreadable_date_is_refused(client: Client, name: str, value: Any) -> None:
    assert error(client.ask({**FOREVER, name: value})) == (400, 20001)


@pytest.mark.parametrize(
    "wrong",
    [
        {"startDate": "2026-03-05", "endDate": "2026-03-04"},
        {"timePeriod": "TODAY"},
        {"timePeriod": "this_month"},
        {"aggregationPeriod": "YEARLY"},
        {"aggregationPeriod": "daily"},
        {"productCategory": ["sms"]},
        {"pageSize": 0},
        {"pageSize": "20"},
        {"pageSize": 2.5},
        {"pageSize": True},
        {"pageToken": "2"},
        {"pageToken": ""},
    ],
)
def test_a_wrong_parameter_is_refused(client: Client, wrong: dict[str, Any]) -> None:
    assert error(client.ask(wrong)) == (400, 20001)


@pytest.mark.parametrize("content", ["", "[]", "null", '"text"', "{", "startDate=2026-03-01", "ÿ"])
def test_a_body_that_is_not_a_json_object_is_refused(client: Client, content: str) -> None:
    headers = {**client.bearer, "Content-Type": "application/json"}
    answer = client.post(PATH, data=content.encode("latin-1"), headers=headers)
    assert answer.status_code == error(answer)[0] == 400


@pytest.mark.parametrize(
    "options",
    [{"data": on(DAY)}, {"data": json.dumps(on(DAY))}, {"params": on(DAY)}],
)
def test_parameters_are_accepted_as_json_only(client: Client, options: dict[str, Any]) -> None:
    assert client.post(PATH, headers=client.bearer, **options).status_code == 400


def test_a_media_type_may_have_parameters(client: Client) -> None:
    headers = {**client.bearer, "Content-Type": "application/json; charset=utf-8"}
    assert client.post(PATH, data=json.dumps(on(DAY)), headers=headers).status_code == 200


def test_unknown_and_misspelled_names_are_ignored(client: Client) -> None:
    miswritten = {"startdate": "x", "EndDate": "2020-01-01", "PageSize": 3, "colour": ["red"]}
    assert client.page({**on(DAY), **miswritten}) == client.page(on(DAY))


def test_parameters_in_the_url_are_ignored(client: Client) -> None:
    path = f"{PATH}?startDate=2026-03-01&pageSize=3"
    answer = client.post(path, json=on(DAY), headers=client.bearer)
    assert answer.json() == client.ask(on(DAY)).json()


# --- pages


def test_the_default_page_size_is_twenty(client: Client) -> None:
    page = client.page(FOREVER)
    assert len(page["records"]) == page["meta"]["pageSize"] == 20


def test_the_page_size_is_clipped_to_a_thousand(client: Client) -> None:
    page = client.page({**FOREVER, "aggregationPeriod": "DAILY", "pageSize": 5000})
    assert len(page["records"]) == page["meta"]["pageSize"] == 1000


def test_pages_hold_each_record_once(client: Client) -> None:
    asked = {"startDate": "2026-03-01", "endDate": "2026-03-03", "aggregationPeriod": "DAILY"}
    whole = client.page({**asked, "pageSize": 1000})["records"]
    assert client.records({**asked, "pageSize": 17}) == whole
    assert len(whole) > 3 * 17


def test_the_last_page_may_be_full(client: Client) -> None:
    records = client.records(on(DAY))
    page = client.page(on(DAY, pageSize=len(records)))
    assert (page["records"], page["meta"]["nextToken"]) == (records, None)


def test_the_previous_token_leads_back(client: Client) -> None:
    first = client.page(on(DAY, pageSize=9))
    second = client.page(on(DAY, pageSize=9, pageToken=first["meta"]["nextToken"]))
    assert first["meta"]["previousToken"] is None
    assert second["records"] != first["records"]
    back = client.page(on(DAY, pageSize=9, pageToken=second["meta"]["previousToken"]))
    assert back == first


@pytest.mark.parametrize(
    "other",
    [
        {"pageSize": 10},
        {"startDate": "2026-03-01"},
        {"aggregationPeriod": "MONTHLY"},
        {"productCategory": "sms"},
    ],
)
def test_a_page_token_is_valid_for_its_list_only(client: Client, other: dict[str, Any]) -> None:
    token = client.page(on(DAY, pageSize=9))["meta"]["nextToken"]
    assert client.ask(on(DAY, pageSize=9, pageToken=token)).status_code == 200
    assert error(client.ask({**on(DAY, pageSize=9, pageToken=token), **other})) == (400, 20001)
    elsewhere = client.ask(on(DAY, pageSize=9, pageToken=token), OTHER_GROUP)
    assert error(elsewhere) == (400, 20001)


def test_a_made_up_page_token_is_refused(client: Client) -> None:
    token = client.page(on(DAY, pageSize=9))["meta"]["nextToken"]
    made_up = token.replace("1", "2", 1)
    assert error(client.ask(on(DAY, pageSize=9, pageToken=made_up))) == (400, 20001)


def test_further_pages_use_the_sums_of_the_first_page(
    changing: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = changing.page(FOREVER)
    # From here on, only the cached sums of the first page can answer.
    monkeypatch.delattr(Company, "charges")
    assert changing.page({**FOREVER, "pageToken": page["meta"]["nextToken"]})["records"]


# --- forms of requests


def test_the_form_of_requests_can_be_another(company: Company, session: requests.Session) -> None:
    form = BillingForm("form", "get", max_page_size=100, array="items", status=201)
    with Server(company, billing=form) as running:
        client = Client(running, session)
        assert error(client.ask(on(DAY))) == (400, 20001)
        too_many = client.post(PATH, data=on(DAY, pageSize=101), headers=client.bearer)
        assert error(too_many) == (400, 20001)
        answer = client.post(PATH, data=on(DAY, pageSize=10), headers=client.bearer)
        page = answer.json()
        assert (answer.status_code, page["meta"]["key"], len(page["items"])) == (201, "items", 10)
        query = on(DAY, pageSize=10, pageToken=page["meta"]["nextToken"])
        url = running.url + PATH
        following = session.get(url, params=query, headers=client.bearer, timeout=30).json()
    assert products(following["items"]).isdisjoint(products(page["items"]))


def test_what_is_not_in_its_place_can_be_ignored(
    company: Company, session: requests.Session
) -> None:
    with Server(company, billing=BillingForm("query", "query", refusal=0)) as running:
        client = Client(running, session)
        ignored = client.page(on(DAY, pageToken="PT1"))
        assert ignored == client.page({})
    assert periods(ignored["records"]) == [("2026-03-01", "2026-03-20")]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("parameters=form,next_page=get", BillingForm("form", "get")),
        (
            "max_page_size=100,refusal=0,array=items,status=201",
            BillingForm("json", "body", 100, 0, "items", 201),
        ),
    ],
)
def test_the_form_is_an_option_of_the_command(text: str, form: BillingForm) -> None:
    assert read_form(text) == form


@pytest.mark.parametrize("text", ["parameters=xml", "next_page=", "status=ok", "token=get", "form"])
def test_an_invalid_form_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--billing", text])
    assert f"argument --billing: invalid read_form value: '{text}'" in capsys.readouterr().err


# --- server


def test_requests_are_recorded_without_the_secret(changing: Client) -> None:
    changing.server.requests.clear()
    changing.post("/v2/token", data=FORM)
    changing.post("/v2/token", json=FORM)
    changing.ask({"startDate": "2026-13-01", "pageSize": 7, "productCategory": None})
    changing.post(f"{PATH}?a=b", data="[1]", headers=changing.bearer)
    changing.session.get(f"{changing.server.url}{PATH}?a=b", timeout=30)
    sent = {"grant_type": "client_credentials", "client_id": CLIENT_ID}
    assert changing.server.requests == [
        ("POST", "/v2/token", sent, 200),
        ("POST", "/v2/token", sent, 401),
        (
            "POST",
            PATH,
            {"startDate": "2026-13-01", "pageSize": "7", "productCategory": "null"},
            400,
        ),
        ("POST", PATH, {"a": "b"}, 400),
        ("GET", PATH, {"a": "b"}, 405),
    ]


@pytest.mark.parametrize("path", [PATH, "/v2/token"])
def test_too_many_concurrent_requests_are_refused(company: Company, path: str) -> None:
    def ask(_: int) -> requests.Response:
        options = {"json": on(DAY)} if path == PATH else {"data": FORM}
        return requests.post(url, headers=headers, timeout=30, **options)

    running = Busy(company, max_concurrent=2, retry_after="3")
    with running:
        with requests.Session() as session:
            headers = Client(running, session).bearer
        running.refusals = 4
        url = running.url + path
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(ask, range(6)))
        after = ask(0)
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) == 4
    assert {error(answer) for answer in refused} == {(429, 20429)}
    assert {answer.headers["Retry-After"] for answer in refused} == {"3"}
    assert after.status_code == 200


def test_every_body_is_read_on_a_connection_kept_alive(client: Client) -> None:
    body = json.dumps(on(DAY)).encode()
    json_type = {"Content-Type": "application/json"}
    asked = [
        ("POST", PATH, json_type, 401),
        ("POST", PATH, {**json_type, **client.bearer}, 200),
        ("POST", path_of("nobody"), {**json_type, **client.bearer}, 404),
        ("POST", PATH, client.bearer, 400),
        ("POST", "/v2/token", json_type, 401),
        ("POST", "/nowhere", json_type, 404),
        ("GET", PATH, json_type, 405),
        ("GET", "/2010-04-01/Accounts.json", json_type, 401),
        ("POST", PATH, {**json_type, **client.bearer}, 200),
    ]
    connection = http.client.HTTPConnection("127.0.0.1", client.server.port, timeout=30)
    connection.connect()
    socket = connection.sock
    for method, path, headers, status in asked:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        assert (answer.status, bool(json.loads(answer.read()))) == (status, True)
        assert connection.sock is socket
    connection.close()


@pytest.mark.parametrize(
    "header",
    [("Transfer-Encoding", "chunked"), ("Content-Length", "-5"), ("Content-Length", "ten")],
)
def test_a_body_of_unknown_length_closes_the_connection(
    client: Client, header: tuple[str, str]
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", client.server.port, timeout=30)
    connection.putrequest("POST", PATH)
    connection.putheader(*header)
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["code"]) == (411, 20001)
    assert answer.headers["Connection"] == "close"
    assert connection.sock is None
    connection.close()
