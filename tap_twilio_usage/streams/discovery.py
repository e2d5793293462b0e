"""Discovery: the streams that the settings allow, and which are selected by default."""

from __future__ import annotations

from tap_twilio_usage.config import access
from tap_twilio_usage.singer.sdk import SdkTap
from tap_twilio_usage.streams.balance import BalanceStream
from tap_twilio_usage.streams.base import TwilioStream
from tap_twilio_usage.streams.billing_groups import BILLING_STREAMS, BillingGroupRecordsStream
from tap_twilio_usage.streams.categories import CategoriesStream
from tap_twilio_usage.streams.focus import UsageRecordsAndFocusStream
from tap_twilio_usage.streams.lists import AccountsStream, UsageTriggersStream
from tap_twilio_usage.streams.reconciliation import UsageReconciliationStream
from tap_twilio_usage.streams.session import Session
from tap_twilio_usage.streams.usage_records import UsageRecordsStream
from tap_twilio_usage.twilio.periods import DAILY, GRANULARITIES, Granularity


def discover(tap: SdkTap, session: Session) -> list[TwilioStream]:
    """Return all streams that the settings allow."""
    streams: list[TwilioStream] = [
        AccountsStream(tap, session),
        BalanceStream(tap, session),
        CategoriesStream(tap, session),
        UsageTriggersStream(tap, session),
        UsageReconciliationStream(tap, session),
        *(_usage_records(tap, session, granularity) for granularity in GRANULARITIES),
    ]
    if session.settings.billing_group_ids:
        streams += [
            BillingGroupRecordsStream(tap, session, name, granularity)
            for name, granularity in BILLING_STREAMS.items()
        ]
    if access.has_only_oauth(tap.config):
        for stream in streams:
            stream.selected_by_default &= stream.name in BILLING_STREAMS
    return streams


def _usage_records(tap: SdkTap, session: Session, granularity: Granularity) -> UsageRecordsStream:
    with_focus = granularity is DAILY and session.settings.focus
    kind = UsageRecordsAndFocusStream if with_focus else UsageRecordsStream
    return kind(tap, session, granularity)
