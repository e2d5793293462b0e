"""The SDK's standard tests, as a smoke test."""

from __future__ import annotations

from datetime import date

from singer_sdk.testing import SuiteConfig, get_tap_test_class

from sandbox import AUTH_TOKEN, MAIN_SID, Company, Server
from tap_twilio_usage.tap import TapTwilioUsage
from tests.conftest import catalog_of

SERVER = Server(Company(today=date(2025, 3, 31), categories=60))
SERVER.start()

CONFIG = {
    "account_sid": MAIN_SID,
    "auth_token": AUTH_TOKEN,
    "start_date": "2025-03-01",
    "end_date": "2025-03-05",
    "api_url": SERVER.url,
}
CATALOG = TapTwilioUsage(config=CONFIG).catalog_dict

TestTapTwilioUsage = get_tap_test_class(
    TapTwilioUsage,
    config=CONFIG,
    catalog=catalog_of(CATALOG, *(stream["tap_stream_id"] for stream in CATALOG["streams"])),
    suite_config=SuiteConfig(max_records_limit=None),
)
