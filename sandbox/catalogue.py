"""What the invented company buys: its own category tree and the sources of its charges.

The sandbox's truth is stated here and nowhere else, so that the tap's table can be wrong about it.
"""

from __future__ import annotations

import enum
from decimal import Decimal
from typing import NamedTuple

TOTAL = "totalprice"


class Category(NamedTuple):
    """A usage category: its true parent and the constant fields of its records."""

    name: str
    parent: str
    description: str
    count_unit: str
    usage_unit: str


class Product(NamedTuple):
    """A product of a billing group, identified by its category and name together."""

    category: str
    name: str


class Rhythm(enum.Enum):
    """When a source charges: mostly on working days, every day, on the 1st, or occasionally."""

    BUSINESS = enum.auto()
    STEADY = enum.auto()
    MONTHLY = enum.auto()
    RARE = enum.auto()


class Source(NamedTuple):
    """A source of charges in one category; `repeated_in` and its parents repeat them."""

    category: str
    unit_price: Decimal
    volume: int
    usage_per_event: int
    rhythm: Rhythm
    repeated_in: str | None = None
    main_only: bool = False

    @property
    def key(self) -> str:
        """The unique name of this source."""
        return self.repeated_in or self.category

    @property
    def family(self) -> str:
        """The product that an account either uses or does not use."""
        return self.category.partition("-")[0]


_CALLS = ("calls", "minutes")
_MESSAGES = ("messages", "segments")
_EACH = ("", "")
_FAMILY_UNITS = {
    "calls": _CALLS,
    "trunking": _CALLS,
    "pstnconnectivity": _CALLS,
    "sms": _MESSAGES,
    "mms": ("messages", "messages"),
    "channels": ("messages", "messages"),
    "phonenumbers": ("numbers", "numbers"),
    "shortcodes": ("shortcodes", "shortcodes"),
    "wireless": ("", "megabytes"),
    "turnmegabytes": ("megabytes", "megabytes"),
}

# name, parent ("" = totalprice), description (None = made from the name)
_TREE: tuple[tuple[str, str, str | None], ...] = (
    ("calls", "", "Total Call Minutes"),
    ("calls-inbound", "calls", "Inbound Voice Minutes"),
    ("calls-inbound-local", "calls-inbound", "Inbound Local Calls"),
    ("calls-inbound-mobile", "calls-inbound", "Inbound Mobile Calls"),
    ("calls-inbound-tollfree", "calls-inbound", "Inbound Toll Free Calls"),
    ("calls-outbound", "calls", "Outbound Voice Minutes"),
    ("calls-media-stream-minutes", "calls", None),
    ("calls-pay-verb-transactions", "calls", None),
    ("calls-client", "", "Total Client Call Minutes"),
    ("calls-sip", "", "SIP Minutes"),
    ("calls-sip-inbound", "calls-sip", "Inbound SIP Minutes"),
    ("calls-sip-outbound", "calls-sip", "Outbound SIP Minutes"),
    ("conference", "", None),
    ("calls-globalconference", "conference", "Conference Minutes"),
    ("agent-conference", "", None),
    ("recordings", "", None),
    ("calls-recordings", "recordings", "Call Recordings"),
    ("trunking-recordings", "recordings", None),
    ("recordingstorage", "", None),
    ("calls-text-to-speech", "", None),
    ("amazon-polly", "calls-text-to-speech", None),
    ("tts-google", "calls-text-to-speech", None),
    ("answering-machine-detection", "", None),
    ("speech-recognition", "", None),
    ("transcriptions", "", None),
    ("voice-intelligence", "", None),
    ("voice-intelligence-transcription", "voice-intelligence", None),
    ("voice-intelligence-operators", "voice-intelligence", None),
    ("voice-insights", "", None),
    ("voice-insights-ptsn-insights-on-demand-minute", "voice-insights", None),
    ("elastic-sip-trunking", "", None),
    ("trunking-origination", "elastic-sip-trunking", None),
    ("trunking-origination-local", "trunking-origination", None),
    ("trunking-origination-tollfree", "trunking-origination", None),
    ("trunking-termination", "elastic-sip-trunking", "Trunking Termination Minutes"),
    ("channels", "", "Channels Platform"),
    ("sms", "channels", "SMS"),
    ("sms-inbound", "sms", "Inbound SMS"),
    ("sms-inbound-longcode", "sms-inbound", "Long Code Inbound SMS"),
    ("sms-inbound-shortcode", "sms-inbound", "Short Code Inbound SMS"),
    ("sms-inbound-tollfree", "sms-inbound", None),
    ("sms-outbound", "sms", "Outbound SMS"),
    ("sms-outbound-longcode", "sms-outbound", "Long Code Outbound SMS"),
    ("sms-outbound-shortcode", "sms-outbound", "Short Code Outbound SMS"),
    ("sms-outbound-tollfree", "sms-outbound", None),
    ("sms-messages-carrierfees", "channels", None),
    ("mms", "channels", "MMS"),
    ("mms-inbound", "mms", "Inbound MMS"),
    ("mms-inbound-longcode", "mms-inbound", None),
    ("mms-inbound-longcode-canada", "mms-inbound-longcode", None),
    ("mms-inbound-longcode-unitedstates", "mms-inbound-longcode", None),
    ("mms-outbound", "mms", "Outbound MMS"),
    ("mms-outbound-longcode", "mms-outbound", None),
    ("mms-outbound-longcode-unitedstates", "mms-outbound-longcode", None),
    ("mms-outbound-shortcode", "mms-outbound", None),
    ("mms-outbound-tollfree", "mms-outbound", None),
    ("mms-messages-carrierfees", "channels", None),
    ("mediastorage", "channels", None),
    ("failed-message-processing-fee", "channels", "Failed Message Processing Fee"),
    ("a2p-registration-fees", "channels", "Messaging A2P Registration Fees"),
    ("a2p-10dlc-registrationfees-onetime", "a2p-registration-fees", None),
    ("a2p-10dlc-registrationfees-brandregistration", "a2p-10dlc-registrationfees-onetime", None),
    ("a2p-10dlc-registrationfees-campaignvetting", "a2p-10dlc-registrationfees-onetime", None),
    ("a2p-10dlc-registrationfees-monthly", "a2p-registration-fees", None),
    ("a2p-10dlc-registrationfees-campaigncharges", "a2p-10dlc-registrationfees-monthly", None),
    ("channels-whatsapp", "channels", "WhatsApp"),
    ("channels-whatsapp-template-marketing", "channels-whatsapp", None),
    ("channels-whatsapp-template-utility", "channels-whatsapp", None),
    ("channels-whatsapp-template-authentication", "channels-whatsapp", None),
    ("channels-messaging", "channels", "Channels Platform"),
    ("channels-messaging-inbound", "channels-messaging", "Messaging Channels Inbound"),
    ("channels-messaging-outbound", "channels-messaging", "Messaging Channels Outbound"),
    ("Usage-RCS-Messages", "channels", "RCS Messages"),
    ("usage-rcs-messages-inbound", "Usage-RCS-Messages", None),
    ("usage-rcs-basic-messages-outbound", "Usage-RCS-Messages", None),
    ("usage-rcs-single-messages-outbound", "Usage-RCS-Messages", None),
    ("usage-rcs-messaging-carrier-fees", "channels", None),
    ("phonenumbers", "", "Phone Numbers"),
    ("phonenumbers-local", "phonenumbers", "Local Phone Numbers"),
    ("phonenumbers-mobile", "phonenumbers", "Mobile Phone Numbers"),
    ("phonenumbers-tollfree", "phonenumbers", "Toll Free Phone Numbers"),
    ("phonenumbers-setups", "", None),
    ("shortcodes", "", "Short Codes"),
    ("shortcodes-random", "shortcodes", None),
    ("pv", "", "Programmable Video"),
    ("group-rooms", "pv", None),
    ("group-rooms-participant-minutes", "group-rooms", None),
    ("group-rooms-data-track", "group-rooms", None),
    ("pv-rooms", "pv", None),
    ("peer-to-peer-rooms-participant-minutes", "pv-rooms", None),
    ("video-recordings", "pv", None),
    ("group-rooms-recorded-minutes", "video-recordings", None),
    ("group-rooms-media-stored", "video-recordings", None),
    ("pv-composition-minutes", "video-recordings", None),
    ("turnmegabytes", "pv", "TURN Megabytes"),
    ("turnmegabytes-useast", "turnmegabytes", None),
    ("turnmegabytes-ireland", "turnmegabytes", None),
    ("account-security", "", None),
    ("authy-phone-verifications", "account-security", "Verify"),
    # The newer name of the same charges: Twilio reports both rows.
    ("verify-voice-sms", "authy-phone-verifications", None),
    ("authy-verify-email-verifications", "account-security", None),
    ("verify-push", "account-security", None),
    ("lookups", "", "Lookups"),
    ("carrier-lookups", "lookups", None),
    ("calleridlookups", "lookups", "Total CallerID Lookups"),
    ("enhanced-line-type-lookups", "lookups", None),
    ("sim-swap-lookups", "lookups", None),
    ("pchat", "", None),
    ("pchat-users", "pchat", None),
    ("pchat-conv-med-storage", "pchat", None),
    ("studio", "", None),
    ("studio-engagements", "studio", None),
    ("task-router", "", None),
    ("taskrouter-tasks", "task-router", None),
    ("sync", "", None),
    ("sync-actions", "sync", None),
    ("flex", "", None),
    ("flex-active-user-hours", "flex", None),
    ("events", "", None),
    ("wireless", "", None),
    ("wireless-super-sim", "wireless", None),
    ("wireless-super-sim-data", "wireless-super-sim", None),
    ("wireless-super-sim-data-payg", "wireless-super-sim-data", None),
    ("wireless-super-sim-data-payg-europe", "wireless-super-sim-data-payg", None),
    ("wireless-super-sim-subscription", "wireless-super-sim", None),
    ("wireless-super-sim-subscription-payg", "wireless-super-sim-subscription", None),
    ("premiumsupport", "", None),
    ("premiumsupport-percentage-spend", "premiumsupport", None),
    ("min-spend-adjustments", "", None),
    ("credit-transfer", "", None),
    # Overlaps have no charges of their own: their rows repeat spend of other categories.
    ("authy-sms-outbound", "account-security", "Authy/Verify Outbound SMS Messages"),
    ("authy-calls-outbound", "account-security", "Authy/Verify Outbound Calls"),
    # Two unknown categories: the name of one shows its parent, the name of the other does not.
    ("sms-outbound-satellite", "sms-outbound", "Satellite Outbound SMS"),
    ("quantum-relay", "", "Quantum Relay"),
)

NEW_CATEGORIES = ("sms-outbound-satellite", "quantum-relay")

# category, unit price, events per day (or per charge), usage per event
_BUSINESS: tuple[tuple[str, str, int, int], ...] = (
    ("calls", "0.0035", 21, 1),
    ("calls-inbound-local", "0.0085", 420, 3),
    ("calls-inbound-mobile", "0.0100", 35, 2),
    ("calls-inbound-tollfree", "0.0220", 160, 4),
    ("calls-outbound", "0.0140", 900, 2),
    ("calls-media-stream-minutes", "0.0040", 200, 3),
    ("calls-pay-verb-transactions", "0.1000", 6, 1),
    ("calls-client", "0.0040", 310, 5),
    ("calls-sip-inbound", "0.0040", 60, 4),
    ("calls-sip-outbound", "0.0045", 75, 4),
    ("calls-globalconference", "0.0018", 40, 12),
    ("agent-conference", "0.0018", 8, 11),
    ("calls-recordings", "0.0025", 380, 3),
    ("trunking-recordings", "0.0025", 12, 5),
    ("amazon-polly", "0.0008", 900, 2),
    ("tts-google", "0.0016", 120, 2),
    ("answering-machine-detection", "0.0075", 260, 1),
    ("speech-recognition", "0.0200", 90, 1),
    ("transcriptions", "0.0500", 20, 2),
    ("voice-intelligence-transcription", "0.0240", 150, 3),
    ("voice-intelligence-operators", "0.0035", 150, 3),
    ("voice-insights-ptsn-insights-on-demand-minute", "0.001200", 600, 3),
    ("trunking-origination-local", "0.0034", 50, 4),
    ("trunking-origination-tollfree", "0.0130", 20, 4),
    ("trunking-termination", "0.0070", 80, 3),
    ("sms", "0.0079", 25, 1),
    ("sms-inbound-longcode", "0.0083", 800, 1),
    ("sms-inbound-shortcode", "0.0083", 300, 1),
    ("sms-inbound-tollfree", "0.0083", 90, 1),
    ("sms-outbound-longcode", "0.0083", 2600, 2),
    ("sms-outbound-shortcode", "0.0083", 1500, 1),
    ("sms-outbound-tollfree", "0.0083", 420, 1),
    ("sms-messages-carrierfees", "0.003475", 4300, 1),
    ("mms-inbound-longcode-canada", "0.0165", 8, 1),
    ("mms-inbound-longcode-unitedstates", "0.0165", 60, 1),
    ("mms-outbound-longcode", "0.0220", 5, 1),
    ("mms-outbound-longcode-unitedstates", "0.0220", 110, 1),
    ("mms-outbound-shortcode", "0.0200", 70, 1),
    ("mms-outbound-tollfree", "0.0220", 30, 1),
    ("mms-messages-carrierfees", "0.006250", 210, 1),
    ("failed-message-processing-fee", "0.0010", 130, 1),
    ("channels-whatsapp", "0.0005", 30, 1),
    ("channels-whatsapp-template-marketing", "0.0250", 700, 1),
    ("channels-whatsapp-template-utility", "0.0040", 900, 1),
    ("channels-whatsapp-template-authentication", "0.013515", 320, 1),
    ("channels-messaging-inbound", "0.0050", 1100, 1),
    ("channels-messaging-outbound", "0.0050", 1900, 1),
    ("Usage-RCS-Messages", "0.0011", 12, 1),
    ("usage-rcs-messages-inbound", "0.0050", 30, 1),
    ("usage-rcs-basic-messages-outbound", "0.0083", 90, 1),
    ("usage-rcs-single-messages-outbound", "0.0220", 40, 1),
    ("usage-rcs-messaging-carrier-fees", "0.0025", 120, 1),
    ("group-rooms-participant-minutes", "0.0040", 140, 10),
    ("group-rooms-data-track", "0.0400", 3, 1),
    ("peer-to-peer-rooms-participant-minutes", "0.0015", 15, 10),
    ("group-rooms-recorded-minutes", "0.0040", 20, 10),
    ("pv-composition-minutes", "0.0100", 10, 10),
    ("turnmegabytes-useast", "0.000400", 900, 1),
    ("turnmegabytes-ireland", "0.000400", 600, 1),
    ("verify-voice-sms", "0.0500", 190, 1),
    ("authy-verify-email-verifications", "0.0500", 22, 1),
    ("verify-push", "0.0500", 17, 1),
    ("carrier-lookups", "0.0080", 150, 1),
    ("calleridlookups", "0.0100", 60, 1),
    ("enhanced-line-type-lookups", "0.0080", 200, 1),
    ("sim-swap-lookups", "0.0400", 15, 1),
    ("studio-engagements", "0.0100", 300, 1),
    ("taskrouter-tasks", "0.0900", 35, 1),
    ("sync-actions", "0.000100", 1600, 1),
    ("flex-active-user-hours", "1.0000", 24, 1),
    ("events", "0.0500", 12, 1),
    ("sms-outbound-satellite", "0.0950", 24, 1),
    ("quantum-relay", "0.0425", 31, 2),
)
_STEADY: tuple[tuple[str, str, int, int], ...] = (
    ("recordingstorage", "0.000017", 21000, 3),
    ("mediastorage", "0.000021", 5200, 1),
    ("group-rooms-media-stored", "0.001670", 40, 1),
    ("pchat-conv-med-storage", "0.000083", 900, 1),
    ("wireless-super-sim-data-payg-europe", "0.0100", 70, 4),
)
_MONTHLY: tuple[tuple[str, str, int, int], ...] = (
    ("phonenumbers-local", "1.1500", 120, 1),
    ("phonenumbers-mobile", "6.0000", 18, 1),
    ("phonenumbers-tollfree", "2.1500", 22, 1),
    ("a2p-10dlc-registrationfees-campaigncharges", "10.0000", 3, 1),
    ("shortcodes-random", "500.0000", 1, 1),
    ("pchat-users", "0.0500", 240, 1),
    ("wireless-super-sim-subscription-payg", "2.0000", 30, 1),
)
_RARE: tuple[tuple[str, str, int, int], ...] = (
    ("a2p-10dlc-registrationfees-brandregistration", "4.0000", 2, 1),
    ("a2p-10dlc-registrationfees-campaignvetting", "15.0000", 1, 1),
    ("phonenumbers-setups", "1.0000", 3, 1),
)
_MAIN_ONLY = (
    Source("premiumsupport-percentage-spend", Decimal("1500.0000"), 1, 1, Rhythm.MONTHLY),
    Source("min-spend-adjustments", Decimal("-12.5000"), 1, 1, Rhythm.RARE),
    Source("credit-transfer", Decimal("-7.3300"), 1, 1, Rhythm.RARE),
    Source(TOTAL, Decimal("0.137541"), 9, 1, Rhythm.RARE),
)
_OVERLAPPING = (
    Source(
        "sms-outbound", Decimal("0.0083"), 180, 1, Rhythm.BUSINESS, repeated_in="authy-sms-outbound"
    ),
    Source(
        "calls-outbound",
        Decimal("0.0260"),
        14,
        1,
        Rhythm.BUSINESS,
        repeated_in="authy-calls-outbound",
    ),
)
# The other products have the name of a usage category, and the category of its parent.
_PRODUCTS = {
    "sms-messages-carrierfees": Product("sms", "Carrier Fees"),
    "mms-messages-carrierfees": Product("mms", "Carrier Fees"),
    "usage-rcs-messaging-carrier-fees": Product("usage-rcs-messages", "Carrier Fees"),
    TOTAL: Product("other", "Other Charges"),
}


def product_of(category: Category) -> Product:
    """Return the product that Usage API v2 reports for charges in the usage category."""
    group = category.name if category.parent == TOTAL else category.parent
    return _PRODUCTS.get(category.name) or Product(group.lower(), category.description)


def described(name: str, parent: str = TOTAL, description: str | None = None) -> Category:
    """Return the category with units that fit its name and, if it has none, a description."""
    units = _FAMILY_UNITS.get(name.partition("-")[0], _EACH)
    return Category(name, parent, description or name.replace("-", " ").title(), *units)


def _sources(rhythm: Rhythm, lines: tuple[tuple[str, str, int, int], ...]) -> tuple[Source, ...]:
    return tuple(
        Source(name, Decimal(price), volume, usage, rhythm) for name, price, volume, usage in lines
    )


TREE = {
    TOTAL: Category(TOTAL, "", "Total Price", "", "usd"),
    **{name: described(name, parent or TOTAL, text) for name, parent, text in _TREE},
}
SOURCES = (
    *_sources(Rhythm.BUSINESS, _BUSINESS),
    *_sources(Rhythm.STEADY, _STEADY),
    *_sources(Rhythm.MONTHLY, _MONTHLY),
    *_sources(Rhythm.RARE, _RARE),
    *_OVERLAPPING,
    *(source._replace(main_only=True) for source in _MAIN_ONLY),
)
