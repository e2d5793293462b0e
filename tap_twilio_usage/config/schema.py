"""The JSON schema of the settings, and which of them are secret."""

from __future__ import annotations

from singer_sdk import typing as th

from tap_twilio_usage.config.connection import DEFAULT_SUBACCOUNTS, OF_CREDENTIALS, SUBACCOUNTS

SCHEMA = th.PropertiesList(
    th.Property(
        "account_sid",
        th.StringType,
        title="Account SID",
        description="SID of the main account: AC followed by 32 hex digits",
    ),
    th.Property(
        "auth_token",
        th.StringType,
        secret=True,
        title="Auth Token",
        description="Auth Token of that account; it can read subaccounts too",
    ),
    th.Property(
        "api_key_sid",
        th.StringType,
        title="API key SID",
        description=(
            "SID of an API key (SK...), instead of the Auth Token; it reads the main account only"
        ),
    ),
    th.Property(
        "api_key_secret",
        th.StringType,
        secret=True,
        title="API key secret",
        description="Secret of that API key",
    ),
    th.Property(
        "account_client_id",
        th.StringType,
        title="Account OAuth client ID",
        description=(
            "Client ID of an OAuth app of the account with the permission "
            "/twilio/billing/usage/read, instead of the Auth Token; it reads the main account only"
        ),
    ),
    th.Property(
        "account_client_secret",
        th.StringType,
        secret=True,
        title="Account OAuth client secret",
        description="Client secret of that OAuth app",
    ),
    th.Property(
        "connections",
        th.ArrayType(
            th.ObjectType(
                th.Property("account_sid", th.StringType, required=True),
                *(th.Property(name, th.StringType) for name in ("name", *OF_CREDENTIALS)),
                th.Property("subaccounts", th.StringType, allowed_values=SUBACCOUNTS),
                additional_properties=False,
            )
        ),
        default=[],
        secret=True,
        title="Connections",
        description=(
            "Further accounts to load in the same run, each an object with account_sid, name, one "
            "of auth_token, api_key_sid + api_key_secret or account_client_id + "
            "account_client_secret, and subaccounts (default: that of the tap)"
        ),
    ),
    th.Property(
        "client_id",
        th.StringType,
        title="OAuth client ID",
        description=(
            "Client ID of an OAuth app of the organization with the scope "
            "twilio/billing-insights/usage/read; required for billing groups"
        ),
    ),
    th.Property(
        "client_secret",
        th.StringType,
        secret=True,
        title="OAuth client secret",
        description="Client secret of that OAuth app",
    ),
    th.Property(
        "billing_group_ids",
        th.ArrayType(th.StringType),
        default=[],
        secret=True,
        title="Billing group IDs",
        description=(
            "Billing groups to load (commerce_billingprofile_...); without any, there are no "
            "streams of billing groups"
        ),
    ),
    th.Property(
        "subaccounts",
        th.StringType,
        default=DEFAULT_SUBACCOUNTS,
        allowed_values=SUBACCOUNTS,
        title="Subaccounts",
        description=(
            "rolled_up: one set of rows for the main account, including all subaccounts; "
            "separate: one set for each account (requires the Auth Token, or connections); "
            "excluded: only the main account's own usage"
        ),
    ),
    th.Property(
        "account_sids",
        th.ArrayType(th.StringType),
        title="Accounts",
        description="With subaccounts set to separate: load only these accounts (default: all)",
    ),
    th.Property(
        "exclude_account_sids",
        th.ArrayType(th.StringType),
        default=[],
        title="Excluded accounts",
        description=(
            "With subaccounts set to separate: accounts to leave out, such as a closed one that "
            "Twilio answers with 404 for ever"
        ),
    ),
    th.Property(
        "shard",
        th.StringType,
        title="Shard",
        description=(
            "With subaccounts set to separate: load only a part of the accounts, such as 2/8 for "
            "the second of eight; an account is always in the same part"
        ),
    ),
    th.Property(
        "start_date",
        th.DateType,
        title="Start date",
        description=(
            "First day to load, inclusive, in GMT (default: the first day of the month six months "
            "ago)"
        ),
    ),
    th.Property(
        "end_date",
        th.DateType,
        title="End date",
        description="Last day to load, inclusive, in GMT (default: today)",
    ),
    th.Property(
        "lookback_days",
        th.IntegerType(minimum=0),
        default=35,
        title="Lookback days",
        description=(
            "Days before the bookmark to read again, because Twilio restates them (late carrier "
            "fees, month end)"
        ),
    ),
    th.Property(
        "skip_unused_categories",
        th.BooleanType,
        default=True,
        title="Skip unused categories",
        description=(
            "Skip zero rows of categories that the account has never used; a row that is not zero "
            "is never skipped"
        ),
    ),
    th.Property(
        "focus",
        th.BooleanType,
        default=False,
        title="FOCUS",
        description=(
            "Also emit focus_cost_and_usage: usage_records_daily with the columns of FOCUS"
        ),
    ),
    th.Property(
        "focus_version",
        th.StringType,
        default="1.3",
        allowed_values=["1.3", "1.4"],
        title="FOCUS version",
        description=(
            "With focus: 1.3 has the columns of 1.2 too; 1.4 has no ProviderName and PublisherName"
        ),
    ),
    th.Property(
        "billing_account_name",
        th.StringType,
        title="Billing account name",
        description="With focus: BillingAccountName where Twilio returns no account name",
    ),
    th.Property(
        "use_singer_decimal",
        th.BooleanType,
        default=False,
        title="Use Singer decimal",
        description=(
            "Emit amounts as strings with the format x-singer.decimal, for a target that stores "
            "numbers as floating point but these strings as exact decimals"
        ),
    ),
    th.Property(
        "max_concurrent_requests",
        th.IntegerType(minimum=1, maximum=32),
        default=4,
        title="Concurrent requests",
        description=(
            "Maximum number of parallel requests of each connection, 1 to 32; reduced "
            "automatically on 429"
        ),
    ),
    th.Property(
        "page_size",
        th.IntegerType(minimum=1, maximum=1000),
        default=1000,
        title="Page size",
        description="Rows per page, 1 to 1000 (Twilio's PageSize)",
    ),
    th.Property(
        "api_url",
        th.StringType,
        default="https://api.twilio.com",
        title="API URL",
        description="Base URL of the API; https, or http on loopback only",
    ),
    th.Property(
        "billing_api_url",
        th.StringType,
        default="https://api.twilio.com",
        title="Billing API URL",
        description="Base URL of the API for billing groups",
    ),
    th.Property(
        "oauth_token_url",
        th.StringType,
        default="https://oauth.twilio.com/v2/token",
        title="OAuth token URL",
        description="URL that issues the OAuth tokens",
    ),
    additional_properties=False,
).to_dict()

SECRETS = tuple(name for name, schema in SCHEMA["properties"].items() if schema.get("secret"))
