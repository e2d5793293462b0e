"""The columns of `focus_cost_and_usage`: those of FOCUS, and Twilio's own values (`x_`).

By default they are those of FOCUS 1.2 and 1.3 together: 1.3 adds columns to 1.2 and removes none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from singer_sdk import typing as th

DEFAULT, NEXT = "1.3", "1.4"
VERSIONS = (DEFAULT, NEXT)  # of the stream
ADDED = {  # by a later version than 1.0
    "1.1": ("ServiceSubcategory", "SkuMeter", "SkuPriceDetails"),
    "1.2": (
        *("BillingAccountType", "SubAccountType", "InvoiceId", "PricingCurrency"),
        *("PricingCurrencyEffectiveCost", "PricingCurrencyListUnitPrice"),
        "PricingCurrencyContractedUnitPrice",
    ),
    "1.3": (
        *("ServiceProviderName", "HostProviderName", "AllocatedMethodId"),
        *("AllocatedMethodDetails", "AllocatedResourceId", "AllocatedResourceName"),
        *("AllocatedTags", "ContractApplied"),
    ),
    "1.4": ("InvoiceDetailId",),
}
# x_PriceUnit only repeats BillingCurrency, and not in the form that 1.4 wants.
REMOVED = {"1.4": ("ProviderName", "PublisherName", "x_PriceUnit")}
# Without null in 1.4. In the default they keep the types that tables already have. The currencies
# may not be null either, but a load must not fail if Twilio reports none.
NEVER_NULL = (
    *("PricingCurrencyEffectiveCost", "BillingAccountType", "BillingPeriodStart"),
    *("BillingPeriodEnd", "ChargePeriodEnd", "ChargeCategory", "ChargeFrequency", "ServiceName"),
    *("ServiceCategory", "ServiceSubcategory", "ServiceProviderName", "HostProviderName"),
    "InvoiceIssuerName",
)

STREAM = "focus_cost_and_usage"
KEY = ("x_AccountSid", "x_Category", "ChargePeriodStart")

NOT_AVAILABLE = "Null: not available from Twilio"
NOT_ALLOCATED = "Null: Twilio splits no cost; the dbt model focus_cost_and_usage_allocated does"
COST = "deduplicated_price: the rows of a day sum to the price of its totalprice"
_COLUMNS = th.PropertiesList(
    th.Property("BilledCost", th.NumberType, required=True, description=COST),
    th.Property("EffectiveCost", th.NumberType, required=True, description="As BilledCost"),
    th.Property("ContractedCost", th.NumberType, required=True, description="As BilledCost"),
    th.Property(
        "ListCost",
        th.NumberType,
        required=True,
        description="As BilledCost: Twilio's usage records have no list price",
    ),
    th.Property("PricingCurrencyEffectiveCost", th.NumberType, description="As BilledCost"),
    th.Property("BillingAccountId", th.StringType, required=True, description="Main account SID"),
    th.Property(
        "BillingAccountName",
        th.StringType,
        required=True,
        description="Main account's friendly name, else billing_account_name, else its SID",
    ),
    th.Property("BillingAccountType", th.StringType, description="Account"),
    th.Property(
        "SubAccountId", th.StringType, description="Subaccount SID; null for the main account"
    ),
    th.Property(
        "SubAccountName", th.StringType, description="Subaccount's friendly name, else its SID"
    ),
    th.Property("SubAccountType", th.StringType, description="Subaccount"),
    th.Property(
        "BillingCurrency", th.StringType, description="ISO 4217 code: price_unit in upper case"
    ),
    th.Property("PricingCurrency", th.StringType, description="As BillingCurrency"),
    th.Property(
        "BillingPeriodStart", th.DateTimeType, description="First moment of the month, UTC"
    ),
    th.Property(
        "BillingPeriodEnd", th.DateTimeType, description="First moment of the next month, UTC"
    ),
    th.Property(
        "ChargePeriodStart",
        th.DateTimeType,
        required=True,
        description="First moment of the day, UTC",
    ),
    th.Property(
        "ChargePeriodEnd", th.DateTimeType, description="First moment of the next day, UTC"
    ),
    th.Property(
        "ChargeCategory", th.StringType, description="Usage, Purchase, Adjustment or Credit"
    ),
    th.Property("ChargeFrequency", th.StringType, description="Usage-Based, Recurring or One-Time"),
    th.Property(
        "ChargeClass", th.StringType, description="Null: Twilio restates days; no corrections"
    ),
    th.Property(
        "ChargeDescription",
        th.StringType,
        description="Twilio's name for the category, else the category",
    ),
    th.Property(
        "ConsumedQuantity",
        th.NumberType,
        description="Usage of a row whose whole price counts; otherwise null: other rows have it",
    ),
    th.Property("ConsumedUnit", th.StringType, description="Unit of ConsumedQuantity"),
    th.Property(
        "PricingQuantity", th.NumberType, description="As ConsumedQuantity, also for a Purchase"
    ),
    th.Property("PricingUnit", th.StringType, description="Unit of PricingQuantity"),
    th.Property("PricingCategory", th.StringType, description="Standard, for Usage and Purchase"),
    th.Property("SkuId", th.StringType, description="The category, for Usage and Purchase"),
    th.Property("SkuPriceId", th.StringType, description="As SkuId"),
    th.Property("SkuMeter", th.StringType, description="ChargeDescription, if SkuId is not null"),
    th.Property("SkuPriceDetails", th.StringType, description=NOT_AVAILABLE),
    th.Property(
        "ServiceName", th.StringType, description="Product family; Unattributed for the remainder"
    ),
    th.Property("ServiceCategory", th.StringType, description="FOCUS category of the service"),
    th.Property(
        "ServiceSubcategory", th.StringType, description="FOCUS subcategory of the service"
    ),
    th.Property(
        "ProviderName", th.StringType, description="Twilio; 1.4 has ServiceProviderName instead"
    ),
    th.Property(
        "PublisherName", th.StringType, description="Twilio; 1.4 has HostProviderName instead"
    ),
    th.Property("ServiceProviderName", th.StringType, description="Twilio"),
    th.Property("HostProviderName", th.StringType, description="Twilio"),
    th.Property("InvoiceIssuerName", th.StringType, description="Twilio"),
    th.Property("InvoiceId", th.StringType, description=NOT_AVAILABLE),
    th.Property("InvoiceDetailId", th.StringType, description=NOT_AVAILABLE),
    th.Property("ListUnitPrice", th.NumberType, description=NOT_AVAILABLE),
    th.Property("ContractedUnitPrice", th.NumberType, description=NOT_AVAILABLE),
    th.Property("PricingCurrencyListUnitPrice", th.NumberType, description=NOT_AVAILABLE),
    th.Property(
        "PricingCurrencyContractedUnitPrice",
        th.NumberType,
        description=NOT_AVAILABLE,
    ),
    th.Property("ResourceId", th.StringType, description=NOT_AVAILABLE),
    th.Property("ResourceName", th.StringType, description=NOT_AVAILABLE),
    th.Property("ResourceType", th.StringType, description=NOT_AVAILABLE),
    th.Property("RegionId", th.StringType, description=NOT_AVAILABLE),
    th.Property("RegionName", th.StringType, description=NOT_AVAILABLE),
    th.Property("CommitmentDiscountStatus", th.StringType, description=NOT_AVAILABLE),
    th.Property("ContractApplied", th.StringType, description=NOT_AVAILABLE),
    th.Property("AllocatedMethodId", th.StringType, description=NOT_ALLOCATED),
    th.Property("AllocatedMethodDetails", th.StringType, description=NOT_ALLOCATED),
    th.Property("AllocatedResourceId", th.StringType, description=NOT_ALLOCATED),
    th.Property("AllocatedResourceName", th.StringType, description=NOT_ALLOCATED),
    th.Property("AllocatedTags", th.StringType, description=NOT_ALLOCATED),
    th.Property(
        "x_AccountSid", th.StringType, required=True, description="SID of the account that used it"
    ),
    th.Property("x_AsOf", th.DateTimeType, description="Time as of which it is up to date"),
    th.Property("x_Category", th.StringType, required=True, description="As Twilio writes it"),
    th.Property("x_Count", th.NumberType, description="Number of usage events"),
    th.Property("x_CountUnit", th.StringType, description="Unit of x_Count"),
    th.Property(
        "x_Price", th.NumberType, description="Price as Twilio reports it, children included"
    ),
    th.Property("x_PriceUnit", th.StringType, description="Currency as Twilio writes it"),
    th.Property("x_UsageUnit", th.StringType, description="Unit of usage as Twilio writes it"),
).to_dict()


def columns_of(version: str) -> tuple[str, ...]:
    """Return the columns as they are in a version of FOCUS from 1.0 on, with Twilio's own."""
    later = {name for added, names in ADDED.items() if added > version for name in names}
    removed = {name for since, names in REMOVED.items() if since <= version for name in names}
    return tuple(name for name in _COLUMNS["properties"] if name not in later | removed)


def schema_of(version: str) -> dict[str, Any]:
    """Return the JSON schema of the rows in a version."""
    described: Mapping[str, Any] = _COLUMNS["properties"]
    properties = {name: described[name] for name in columns_of(version)}
    required = [*_COLUMNS["required"]]
    if version >= NEXT:
        for name in NEVER_NULL:
            kind = [each for each in properties[name]["type"] if each != "null"]
            properties[name] = {**properties[name], "type": kind}
        required += NEVER_NULL
    return {**_COLUMNS, "properties": properties, "required": required}


SCHEMA = schema_of(DEFAULT)
