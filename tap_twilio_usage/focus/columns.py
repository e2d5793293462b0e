"""The columns of `focus_cost_and_usage`, by FOCUS 1.2; Twilio's own values begin with `x_`."""

from __future__ import annotations

from singer_sdk import typing as th

STREAM = "focus_cost_and_usage"
KEY = ("x_AccountSid", "x_Category", "ChargePeriodStart")

NOT_SAID = "Null: Twilio does not say"
COST = "deduplicated_price: a day's rows sum to the price of its totalprice"
SCHEMA = th.PropertiesList(
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
        description="Its friendly name, else billing_account_name, else its SID",
    ),
    th.Property("BillingAccountType", th.StringType, description="Account"),
    th.Property(
        "SubAccountId", th.StringType, description="Subaccount SID; null for the main account"
    ),
    th.Property("SubAccountName", th.StringType, description="Its friendly name, else its SID"),
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
        "ChargeClass", th.StringType, description="Null: Twilio restates days, without corrections"
    ),
    th.Property(
        "ChargeDescription",
        th.StringType,
        description="Twilio's name for the category, else the category",
    ),
    th.Property(
        "ConsumedQuantity",
        th.NumberType,
        description="Usage of a row whose whole price counts; else null, for other rows have it",
    ),
    th.Property("ConsumedUnit", th.StringType, description="Unit of ConsumedQuantity"),
    th.Property(
        "PricingQuantity", th.NumberType, description="As ConsumedQuantity, also for a Purchase"
    ),
    th.Property("PricingUnit", th.StringType, description="Unit of PricingQuantity"),
    th.Property("PricingCategory", th.StringType, description="Standard, for Usage and Purchase"),
    th.Property("SkuId", th.StringType, description="The category, for Usage and Purchase"),
    th.Property("SkuPriceId", th.StringType, description="As SkuId"),
    th.Property("SkuMeter", th.StringType, description="ChargeDescription, where SkuId is"),
    th.Property("SkuPriceDetails", th.StringType, description=NOT_SAID),
    th.Property(
        "ServiceName", th.StringType, description="Product family; Unattributed for the remainder"
    ),
    th.Property("ServiceCategory", th.StringType, description="FOCUS's category of the service"),
    th.Property(
        "ServiceSubcategory", th.StringType, description="FOCUS's subcategory of the service"
    ),
    th.Property("ProviderName", th.StringType, description="Twilio"),
    th.Property("PublisherName", th.StringType, description="Twilio"),
    th.Property("ServiceProviderName", th.StringType, description="Twilio"),
    th.Property("HostProviderName", th.StringType, description="Twilio"),
    th.Property("InvoiceIssuerName", th.StringType, description="Twilio"),
    th.Property("InvoiceId", th.StringType, description=NOT_SAID),
    th.Property("ListUnitPrice", th.NumberType, description=NOT_SAID),
    th.Property("ContractedUnitPrice", th.NumberType, description=NOT_SAID),
    th.Property("PricingCurrencyListUnitPrice", th.NumberType, description=NOT_SAID),
    th.Property(
        "PricingCurrencyContractedUnitPrice",
        th.NumberType,
        description=NOT_SAID,
    ),
    th.Property("RegionId", th.StringType, description=NOT_SAID),
    th.Property("RegionName", th.StringType, description=NOT_SAID),
    th.Property("CommitmentDiscountStatus", th.StringType, description=NOT_SAID),
    th.Property(
        "x_AccountSid", th.StringType, required=True, description="Account whose usage it is"
    ),
    th.Property("x_AsOf", th.DateTimeType, description="How fresh the record is"),
    th.Property("x_Category", th.StringType, required=True, description="As Twilio writes it"),
    th.Property("x_Count", th.NumberType, description="Number of usage events"),
    th.Property("x_CountUnit", th.StringType, description="Unit of x_Count"),
    th.Property(
        "x_Price", th.NumberType, description="Price as Twilio reports it, children included"
    ),
    th.Property("x_PriceUnit", th.StringType, description="Currency as Twilio writes it"),
    th.Property("x_UsageUnit", th.StringType, description="Unit of usage as Twilio writes it"),
).to_dict()
