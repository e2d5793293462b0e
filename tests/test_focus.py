"""The mapping to FOCUS, including rules that the official validator does not check."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from msgspec.structs import asdict

from sandbox import MAIN_SID, Company
from tap_twilio_usage.focus import rows as focus
from tap_twilio_usage.focus.columns import ADDED, KEY, REMOVED, SCHEMA, columns_of, schema_of
from tap_twilio_usage.focus.rows import Payer, change_to_next_version, cost_and_usage, plural
from tap_twilio_usage.money.amounts import EXACT
from tap_twilio_usage.money.enrich import attribute
from tap_twilio_usage.money.hierarchy import shipped
from tap_twilio_usage.money.usage_record import UsageRecord
from tests.test_dedup import DAYS, LONG, MONEY, SMALL

DAY = date(2026, 1, 31)
PAYER = Payer("AC1", "Company", "AC1", "Company")

# Of the specification, version 1.2, in the order of its list; then those that came with 1.3.
OF_FOCUS = """
    AvailabilityZone BilledCost BillingAccountId BillingAccountName BillingAccountType
    BillingCurrency BillingPeriodEnd BillingPeriodStart CapacityReservationId
    CapacityReservationStatus ChargeCategory ChargeClass ChargeDescription ChargeFrequency
    ChargePeriodEnd ChargePeriodStart CommitmentDiscountCategory CommitmentDiscountId
    CommitmentDiscountName CommitmentDiscountQuantity CommitmentDiscountStatus
    CommitmentDiscountType CommitmentDiscountUnit ConsumedQuantity ConsumedUnit ContractedCost
    ContractedUnitPrice EffectiveCost InvoiceId InvoiceIssuerName ListCost ListUnitPrice
    PricingCategory PricingCurrency PricingCurrencyContractedUnitPrice
    PricingCurrencyEffectiveCost PricingCurrencyListUnitPrice PricingQuantity PricingUnit
    ProviderName PublisherName RegionId RegionName ResourceId ResourceName ResourceType
    ServiceCategory ServiceName ServiceSubcategory SkuId SkuMeter SkuPriceDetails SkuPriceId
    SubAccountId SubAccountName SubAccountType Tags
    AllocatedMethodDetails AllocatedMethodId AllocatedResourceId AllocatedResourceName
    AllocatedTags ContractApplied HostProviderName ServiceProviderName
""".split()  # noqa: SIM905
SUBCATEGORIES = {
    "AI and Machine Learning": {"Bots", "Natural Language Processing"},
    "Business Applications": {"Other (Business Applications)"},
    "Compute": {"Serverless Compute"},
    "Identity": {"Identity and Access Management", "Other (Identity)"},
    "Integration": {"Messaging", "Workflow Orchestration", "Other (Integration)"},
    "Internet of Things": {"Other (Internet of Things)"},
    "Management and Governance": {"Observability", "Support"},
    "Media": {"Media Streaming"},
    "Networking": {"Network Connectivity"},
    "Other": {"Other (Other)"},
}
COSTS = (
    *("BilledCost", "EffectiveCost", "ContractedCost", "ListCost"),
    "PricingCurrencyEffectiveCost",
)
UNIT = re.compile(r"([A-Z][a-z]+-)*([A-Z][a-z]*s|[KMGT]B)")

Row = dict[str, Any]


def usage_record(category: str, price: Decimal | str | None, **fields: Any) -> UsageRecord:
    return UsageRecord(
        **{
            "account_sid": "AC1",
            "api_version": "2010-04-01",
            "as_of": "2026-02-01T00:00:00+00:00",
            "category": category,
            "description": None,
            "count": Decimal(3),
            "count_unit": "calls",
            "usage": Decimal("4.5"),
            "usage_unit": "minutes",
            "price": None if price is None else Decimal(price),
            "price_unit": "usd",
            "start_date": DAY,
            "end_date": DAY,
            **fields,
        }
    )


def billed(rows: Iterable[UsageRecord], payer: Payer = PAYER) -> dict[str, Row]:
    """Return the FOCUS rows of a day by category."""
    return {
        row.category: cost_and_usage(asdict(row), payer, "usd")
        for row in attribute(rows)
        if row.deduplicated_price
    }


def one(category: str, price: str = "2.5", **fields: Any) -> Row:
    """Return the row of a category that has the whole cost of its day."""
    rows = [usage_record(category, price, **fields), usage_record("totalprice", price)]
    return billed(rows)[category]


@pytest.fixture(scope="module")
def a_year() -> list[Row]:
    """Return the rows of every fifth day of a company with three separate accounts."""
    last = date(2025, 9, 30)
    company = Company(since=date(2024, 10, 1), today=last, subaccounts=2, new_category_from=last)
    days = [last - timedelta(days=5 * n) for n in range(73)]
    found: list[Row] = []
    for account in company.accounts():
        payer = Payer(MAIN_SID, "Company", account.sid, account.friendly_name)
        for day in days:
            records = [
                usage_record(
                    row.category,
                    row.price,
                    start_date=day,
                    end_date=day,
                    usage_unit=company.category(row.category).usage_unit,
                )
                for row in company.rows(day, account=account.sid, include_subaccounts=False)
            ]
            found += billed(records, payer).values()
    return found


# Every dollar once.


@given(DAYS, MONEY | SMALL | LONG)
def test_the_rows_of_a_day_sum_to_its_total(day: dict[str, Decimal | None], total: Decimal) -> None:
    others = {name: price for name, price in day.items() if name.strip().lower() != "totalprice"}
    rows = billed(
        usage_record(category, price) for category, price in {**others, "totalprice": total}.items()
    )
    with localcontext(EXACT):
        for cost in COSTS:
            assert sum((row[cost] for row in rows.values()), Decimal(0)) == total


def test_the_remainder_is_a_separate_adjustment() -> None:
    rows = billed([usage_record("calls", "3"), usage_record("totalprice", "5")])
    remainder = rows["totalprice"]
    assert remainder["BilledCost"] == 2
    assert remainder["ServiceName"] == "Unattributed"
    assert remainder["ChargeCategory"] == "Adjustment"
    assert remainder["ChargeFrequency"] == "One-Time"


# The table of services and kinds.


@pytest.mark.parametrize(
    ("category", "kind", "charge", "frequency"),
    [
        ("calls-inbound", "usage", "Usage", "Usage-Based"),
        ("recordingstorage", "storage", "Usage", "Usage-Based"),
        ("mms-messages-carrierfees", "pass_through_fee", "Usage", "Usage-Based"),
        ("quantum-relay", "usage", "Usage", "Usage-Based"),
        ("phonenumbers-local", "recurring", "Purchase", "Recurring"),
        ("a2p-10dlc-registrationfees-brandregistration", "one_time", "Purchase", "One-Time"),
        ("min-spend-adjustments", "adjustment", "Adjustment", "One-Time"),
        ("credit-transfer", "credit", "Credit", "One-Time"),
    ],
)
def test_the_charge_category_follows_from_the_billing_kind(
    category: str, kind: str, charge: str, frequency: str
) -> None:
    row = one(category)
    known = shipped().categories.get(category)
    assert (known.billing_kind if known else "usage") == kind
    assert (row["ChargeCategory"], row["ChargeFrequency"]) == (charge, frequency)
    is_sold = charge in {"Usage", "Purchase"}
    assert row["SkuId"] == row["SkuPriceId"] == (category if is_sold else None)
    assert row["SkuMeter"] == (category if is_sold else None)
    assert row["PricingCategory"] == ("Standard" if is_sold else None)
    assert row["PricingQuantity"] == (Decimal("4.5") if is_sold else None)
    assert row["PricingUnit"] == ("Minutes" if is_sold else None)
    assert row["ConsumedQuantity"] == (Decimal("4.5") if charge == "Usage" else None)
    assert row["ConsumedUnit"] == ("Minutes" if charge == "Usage" else None)


def test_every_service_and_billing_kind_of_the_hierarchy_is_mapped() -> None:
    categories = shipped().categories.values()
    assert {row.service for row in categories} <= focus.services().keys() - {"Other"}
    assert {row.billing_kind for row in categories} == focus.charges().keys()
    for service in focus.services().values():
        assert service.subcategory in SUBCATEGORIES[service.category]


def test_a_row_that_counts_only_in_part_has_no_quantity() -> None:
    rows = billed(
        [
            usage_record("calls", "5"),
            usage_record("calls-inbound", "2"),
            usage_record("totalprice", "5"),
        ]
    )
    assert rows["calls"]["BilledCost"] == 3
    assert rows["calls"]["x_Price"] == 5
    assert rows["calls-inbound"]["ConsumedQuantity"] == Decimal("4.5")
    for column in ("ConsumedQuantity", "ConsumedUnit", "PricingQuantity", "PricingUnit"):
        assert rows["calls"][column] is None


def test_a_row_without_usage_has_no_quantity() -> None:
    row = one("calls-inbound", usage=None)
    assert row["ConsumedQuantity"] is row["ConsumedUnit"] is row["PricingUnit"] is None


def test_twilios_own_values_are_unchanged() -> None:
    row = one("SMS-Inbound", "1.2300", description="Inbound SMS", price_unit="usd")
    assert row["ChargeDescription"] == row["SkuMeter"] == "Inbound SMS"
    assert {name: value for name, value in row.items() if name.startswith("x_")} == {
        "x_AccountSid": "AC1",
        "x_AsOf": "2026-02-01T00:00:00+00:00",
        "x_Category": "SMS-Inbound",
        "x_Count": 3,
        "x_CountUnit": "calls",
        "x_Price": Decimal("1.2300"),
        "x_PriceUnit": "usd",
        "x_UsageUnit": "minutes",
    }


@pytest.mark.parametrize(
    ("twilios", "said"),
    [
        ("minutes", "Minutes"),
        ("participant minute", "Participant-Minutes"),
        ("participant-minutes", "Participant-Minutes"),
        ("user_hours", "User-Hours"),
        ("API requests", "API-Requests"),
        ("gb/month", "GB-Months"),
        ("gb", "GB"),
        ("megabytes", "MB"),
        ("MB", "MB"),
        ("usd", "USD"),
        ("eur", "EUR"),
        ("", "Units"),
        (" ", "Units"),
        ("once", "Units"),
        ("Each", "Units"),
        (None, "Units"),
    ],
)
def test_units_are_capitalised_plurals(twilios: str | None, said: str) -> None:
    assert plural(twilios) == said


@pytest.mark.parametrize("currency", ["usd", "EUR", " gbp"])
def test_a_currency_is_no_plural_as_a_unit(currency: str) -> None:
    sms = usage_record("sms", "1.5", usage_unit=currency, price_unit=currency)
    row = billed([sms, usage_record("totalprice", "1.5", price_unit=currency)])["sms"]
    assert row["ConsumedUnit"] == row["PricingUnit"] == currency.strip().upper()


# Accounts, currencies, time.


def test_only_subaccounts_have_a_sub_account_name() -> None:
    whole = [usage_record("calls", "1"), usage_record("totalprice", "1")]
    main = billed(whole)["calls"]
    sub = billed(whole, Payer("AC1", "Company", "AC2", "Branch"))["calls"]
    names = ("SubAccountId", "SubAccountName", "SubAccountType")
    assert [main[name] for name in names] == [None, None, None]
    assert [sub[name] for name in names] == ["AC2", "Branch", "Subaccount"]
    assert sub["BillingAccountId"] == main["BillingAccountId"] == "AC1"
    assert sub["x_AccountSid"] == "AC2"


def test_a_row_without_a_currency_has_the_currency_of_the_account() -> None:
    rows = [usage_record("calls", "1", price_unit=None), usage_record("totalprice", "1")]
    row = billed(rows)["calls"]
    assert row["BillingCurrency"] == row["PricingCurrency"] == "USD"
    assert row["x_PriceUnit"] is None
    in_euro = billed(usage_record(name, "1", price_unit="eur") for name in ("calls", "totalprice"))
    assert in_euro["calls"]["BillingCurrency"] == in_euro["calls"]["PricingCurrency"] == "EUR"


def test_a_period_ends_where_the_next_one_begins() -> None:
    row = one("calls")
    assert row["ChargePeriodStart"] == "2026-01-31T00:00:00Z"
    assert row["ChargePeriodEnd"] == row["BillingPeriodEnd"] == "2026-02-01T00:00:00Z"
    assert row["BillingPeriodStart"] == "2026-01-01T00:00:00Z"
    december = one("calls", start_date=date(2025, 12, 31), end_date=date(2025, 12, 31))
    assert december["BillingPeriodEnd"] == december["ChargePeriodEnd"] == "2026-01-01T00:00:00Z"


# Versions.


def test_a_version_has_the_columns_of_the_one_before_and_its_own() -> None:
    versions = ["1.0", *ADDED]
    assert versions == sorted(versions)
    for before, version in itertools.pairwise(versions):
        was, now = {*columns_of(before)}, {*columns_of(version)}
        assert now - was == {*ADDED[version]}
        assert was - now == {*REMOVED.get(version, ())}
        assert {*KEY} <= now
    assert columns_of("1.3") == tuple(SCHEMA["properties"])


def test_a_row_without_a_service_has_a_service_name() -> None:
    row = cost_and_usage(asdict(usage_record("calls", "1")) | {"service": None}, PAYER, None)
    assert (row["ServiceName"], row["ServiceCategory"]) == ("Other", "Other")


def test_the_version_1_4_has_no_removed_column_and_the_rows_have_all_of_its_columns() -> None:
    described = schema_of("1.4")
    assert {*described["required"]} <= {*described["properties"]}
    assert not {"ProviderName", "PublisherName"} & {*described["properties"]}
    row = change_to_next_version(one("calls"))
    assert {*described["properties"]} == {*row}
    assert row["ServiceProviderName"] == row["HostProviderName"] == "Twilio"
    assert row["InvoiceDetailId"] is None


# What the official validator does not notice.


def test_there_are_no_duplicate_rows(a_year: list[Row]) -> None:
    keys = Counter(tuple(row[column] for column in KEY) for row in a_year)
    assert len(keys) > 5000
    assert set(keys.values()) == {1}


def test_the_end_of_a_period_is_exclusive(a_year: list[Row]) -> None:
    for row in a_year:
        start, end = (row[f"ChargePeriod{which}"] for which in ("Start", "End"))
        assert date.fromisoformat(end[:10]) - date.fromisoformat(start[:10]) == timedelta(days=1)
        assert start.endswith("T00:00:00Z")
        assert end.endswith("T00:00:00Z")
        assert row["BillingPeriodStart"] <= start < end <= row["BillingPeriodEnd"]


def test_all_cost_columns_are_equal(a_year: list[Row]) -> None:
    for row in a_year:
        assert len({row[cost] for cost in COSTS}) == 1
        assert row["BilledCost"] != 0


def test_each_subcategory_belongs_to_its_category(a_year: list[Row]) -> None:
    for row in a_year:
        assert row["ServiceSubcategory"] in SUBCATEGORIES[row["ServiceCategory"]]
    of_a_name = {(row["ServiceName"], row["ServiceCategory"]) for row in a_year}
    assert len(of_a_name) == len({name for name, _ in of_a_name}) > 10


def test_units_have_the_format_of_focus(a_year: list[Row]) -> None:
    for row in a_year:
        for unit in (row["ConsumedUnit"], row["PricingUnit"]):
            assert unit is None or UNIT.fullmatch(unit)


def test_columns_are_those_of_focus_or_begin_with_x(a_year: list[Row]) -> None:
    columns = SCHEMA["properties"]
    assert [*columns] == [*a_year[0]]
    assert {column for column in columns if not column.startswith("x_")} <= {*OF_FOCUS}
    for column, described in columns.items():
        assert described["description"], column
    assert set(KEY) <= set(SCHEMA["required"])
    for row in a_year:
        assert all(row[column] is not None for column in SCHEMA["required"])
