"""Converts daily usage records into rows of FOCUS, Cost and Usage. Pure.

The cost of a row is its `deduplicated_price`, so that the rows of an account's day sum to the price
of its `totalprice`. The `totalprice` row has the remainder that is in no category. Twilio's usage
records have no list prices, invoice IDs, taxes, regions or commitments: those columns are null.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from tap_twilio_usage.focus.columns import ADDED, NEXT, REMOVED
from tap_twilio_usage.money.amounts import ZERO
from tap_twilio_usage.money.memoize import memoize
from tap_twilio_usage.money.parsers import Record
from tap_twilio_usage.twilio.periods import DAY, MONTHLY

TWILIO = "Twilio"
NO_UNIT = "Units"
NOT_UNITS = {"", "each", "once"}  # say how often, and not of what
WRITTEN_AS = {  # whatever their number is
    **{name.lower(): name for name in ("USD", "EUR", "GBP", "JPY", "AUD", "CAD", "CHF", "BRL")},
    **{name.lower(): name for name in ("KB", "MB", "GB", "TB")},
    **{f"{prefix}bytes": f"{prefix[0].upper()}B" for prefix in ("kilo", "mega", "giga", "tera")},
}


class Payer(NamedTuple):
    """The billing account, and the account that has the usage; both may be the main account."""

    sid: str
    name: str
    account_sid: str
    account_name: str


class Charge(NamedTuple):
    """The charge category and frequency in FOCUS of a kind of billing."""

    category: str
    frequency: str


class Service(NamedTuple):
    """The service category and subcategory in FOCUS of a service."""

    category: str
    subcategory: str


def cost_and_usage(record: Record, payer: Payer, currency: str | None) -> Record:
    """Return the FOCUS row of a record; `currency` is used if the record has none."""
    cost = record["deduplicated_price"] or ZERO
    charge = charges()[record["billing_kind"] or "usage"]
    service_name = record["service"] or "Other"
    service = services()[service_name]
    is_usage, is_purchase = charge.category == "Usage", charge.category == "Purchase"
    # The quantity of a row whose price counts only in part is in other rows too.
    quantity = record["usage"] if record["price"] and record["price"] == cost else None
    is_priced = quantity is not None and (is_usage or is_purchase)
    is_consumed = quantity is not None and is_usage
    sku = record["category"] if is_usage or is_purchase else None
    description = record["description"] or record["category"]
    is_subaccount = payer.account_sid != payer.sid
    currency = _code(record["price_unit"] or currency)
    usage_unit = record["usage_unit"]
    unit = currency if _code(usage_unit) == currency else plural(usage_unit)
    begins, ends = month(record["start_date"])
    return {
        "BilledCost": cost,
        "EffectiveCost": cost,
        "ContractedCost": cost,
        "ListCost": cost,
        "PricingCurrencyEffectiveCost": cost,
        "BillingAccountId": payer.sid,
        "BillingAccountName": payer.name,
        "BillingAccountType": "Account",
        "SubAccountId": payer.account_sid if is_subaccount else None,
        "SubAccountName": payer.account_name if is_subaccount else None,
        "SubAccountType": "Subaccount" if is_subaccount else None,
        "BillingCurrency": currency,
        "PricingCurrency": currency,
        "BillingPeriodStart": begins,
        "BillingPeriodEnd": ends,
        "ChargePeriodStart": midnight(record["start_date"]),
        "ChargePeriodEnd": midnight(record["end_date"] + DAY),
        "ChargeCategory": charge.category,
        "ChargeFrequency": charge.frequency,
        "ChargeClass": None,
        "ChargeDescription": description,
        "ConsumedQuantity": quantity if is_consumed else None,
        "ConsumedUnit": unit if is_consumed else None,
        "PricingQuantity": quantity if is_priced else None,
        "PricingUnit": unit if is_priced else None,
        "PricingCategory": "Standard" if is_usage or is_purchase else None,
        "SkuId": sku,
        "SkuPriceId": sku,
        "SkuMeter": description if sku else None,
        "SkuPriceDetails": None,
        "ServiceName": service_name,
        "ServiceCategory": service.category,
        "ServiceSubcategory": service.subcategory,
        "ProviderName": TWILIO,
        "PublisherName": TWILIO,
        "ServiceProviderName": TWILIO,
        "HostProviderName": TWILIO,
        "InvoiceIssuerName": TWILIO,
        "InvoiceId": None,
        "ListUnitPrice": None,
        "ContractedUnitPrice": None,
        "PricingCurrencyListUnitPrice": None,
        "PricingCurrencyContractedUnitPrice": None,
        "ResourceId": None,
        "ResourceName": None,
        "ResourceType": None,
        "RegionId": None,
        "RegionName": None,
        "CommitmentDiscountStatus": None,
        "ContractApplied": None,
        "AllocatedMethodId": None,
        "AllocatedMethodDetails": None,
        "AllocatedResourceId": None,
        "AllocatedResourceName": None,
        "AllocatedTags": None,
        "x_AccountSid": payer.account_sid,
        "x_AsOf": record["as_of"],
        "x_Category": record["category"],
        "x_Count": record["count"],
        "x_CountUnit": record["count_unit"],
        "x_Price": record["price"],
        "x_PriceUnit": record["price_unit"],
        "x_UsageUnit": record["usage_unit"],
    }


def change_to_next_version(row: Record) -> Record:
    """Return the row with the columns of FOCUS 1.4; it is changed in place."""
    for name in REMOVED[NEXT]:
        del row[name]
    row |= dict.fromkeys(ADDED[NEXT])
    return row


@memoize
def plural(unit: str | None) -> str:
    """Return a unit of Twilio's as FOCUS writes it: `Participant-Minutes` for `participant minute`.

    The result is `Units` if there is no unit.
    """
    words = re.split(r"[\s_/-]+", (unit or "").strip())
    if words[-1].lower() in NOT_UNITS:
        return NO_UNIT
    if words[-1].lower() not in WRITTEN_AS and not words[-1].lower().endswith("s"):
        words[-1] += "s"
    return "-".join(
        WRITTEN_AS.get(word.lower(), word if word.isupper() else word.capitalize())
        for word in words
    )


def _code(currency: str | None) -> str | None:
    """Return the code of a currency as in ISO 4217; None if there is none."""
    return (currency or "").strip().upper() or None


@memoize
def midnight(day: date) -> str:
    """Return the beginning of the day in UTC."""
    return f"{day}T00:00:00Z"


@memoize
def month(day: date) -> tuple[str, str]:
    """Return the beginning of the day's month and of the next month in UTC."""
    return midnight(MONTHLY.first(day)), midnight(MONTHLY.following(day))


@cache
def charges() -> Mapping[str, Charge]:
    """Return the FOCUS charge for each `billing_kind`."""
    return {
        row["billing_kind"]: Charge(row["charge_category"], row["charge_frequency"])
        for row in _table("focus_charges.csv")
    }


@cache
def services() -> Mapping[str, Service]:
    """Return the FOCUS service category for each `service`."""
    return {
        row["service"]: Service(row["service_category"], row["service_subcategory"])
        for row in _table("focus_services.csv")
    }


def _table(name: str) -> csv.DictReader[str]:
    text = files("tap_twilio_usage").joinpath(f"data/{name}").read_text("utf-8")
    return csv.DictReader(text.splitlines())
