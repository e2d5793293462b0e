"""The rules of de-duplication by example, and the invariants for any prices."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Mapping
from decimal import Decimal, localcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_twilio_usage.money.amounts import EXACT
from tap_twilio_usage.money.dedup import Share, deduplicate, rounding
from tap_twilio_usage.money.hierarchy import Category, Hierarchy, shipped
from tests.conftest import ROOT

TABLE = ROOT / "tap_twilio_usage" / "data" / "categories.csv"
REAL = json.loads(Path(__file__).with_name("real_accounts.json").read_text())


def prices(**texts: str | None) -> dict[str, Decimal | None]:
    """Return prices by category; `__` stands for a hyphen."""
    return {
        name.replace("__", "-"): None if text is None else Decimal(text)
        for name, text in texts.items()
    }


def counted(day: Mapping[str, Decimal | None]) -> dict[str, str]:
    """Return the deduplicated prices that are not zero, by category."""
    shares = deduplicate(day)
    return {c: f"{s.deduplicated_price:f}" for c, s in shares.items() if s.deduplicated_price}


def roles(day: Mapping[str, Decimal | None]) -> dict[str, str]:
    return {category: share.role for category, share in deduplicate(day).items()}


# Real accounts, with what must hold of each.


def real(case: str, **more: str) -> dict[str, Decimal | None]:
    return prices(**{**REAL[case], **more})


def test_a_voice_and_verify_account_counts_each_charge_with_its_whole_price() -> None:
    day = real("voice_and_verify")
    assert counted(day) == {
        "calls-outbound": "4.1446",
        "calls-media-stream-minutes": "0.0968",
        "sms-outbound-longcode": "0.3806",
        "verify-voice-sms": "0.2",
        "phonenumbers-local": "1.15",
        "recordingstorage": "0.00222",
    }
    assert roles(day)["authy-sms-outbound"] == "overlap"
    assert roles(day)["account-security"] == roles(day)["authy-phone-verifications"] == "rollup"
    naive = sum(price for category, price in day.items() if price and category != "totalprice")
    assert naive == Decimal("13.66862")
    assert f"{naive / Decimal('5.97422'):.0%}" == "229%"


def test_an_a2p_account_counts_its_fees_once() -> None:
    assert counted(real("a2p")) == {
        "a2p-10dlc-registrationfees-campaignvetting": "30",
        "a2p-10dlc-registrationfees-brandregistration": "8",
        "a2p-10dlc-registrationfees-campaigncharges": "2",
        "sms": "0.1411",
        "phonenumbers": "1.15",
        "totalprice": "0.0789",
    }


def test_a_rollup_of_fees_alone_counts_whole() -> None:
    assert counted(real("a2p_september", totalprice="21.1743")) == {
        "sms": "0.1743",
        "a2p-registration-fees": "21",
    }


def test_a_whatsapp_account_counts_templates_and_messages_and_no_rollup() -> None:
    assert counted(real("whatsapp", totalprice="163.3875")) == {
        "channels-messaging-outbound": "56.915",
        "channels-messaging-inbound": "1.765",
        "channels-whatsapp-template-marketing": "98.2918",
        "channels-whatsapp-template-utility": "6.4157",
    }


def test_an_account_with_one_child_a_rollup_counts_the_children() -> None:
    assert counted(real("small_mixed", totalprice="34.10")) == {
        "calls-inbound-local": "0.09",
        "calls-outbound": "0.99",
        "phonenumbers-local": "15.00",
        "sms": "17.85",
        "sms-inbound-longcode": "0.17",
    }
    assert counted(real("sms", totalprice="178.01")) == {
        "sms-inbound-longcode": "0.46",
        "sms-outbound-longcode": "177.55",
    }


def test_a_long_history_leaves_what_its_partial_rows_do_not_say_to_the_total() -> None:
    assert counted(real("long_history")) == {
        "totalprice": "250.39750",
        "sms": "242.31015",
        "sms-inbound": "6.1375",
    }


@pytest.mark.parametrize("case", [case for case in REAL if "totalprice" not in REAL[case]])
def test_without_a_total_there_are_roles_and_no_shares(case: str) -> None:
    shares = deduplicate(real(case))
    assert {share.deduplicated_price for share in shares.values()} == {None}
    assert {share.role for share in shares.values()} <= {"rollup", "leaf"}


# Accounts of the same kind as the one with voice and verifications.


def with_total(**texts: str) -> dict[str, Decimal | None]:
    """Return the day without its row of totalprice and, as totalprice, what has to count."""
    day = prices(**texts)
    total = day.pop("counts")
    return {**day, "totalprice": total}


def test_a_verification_by_voice_counts_its_call_in_calls_outbound() -> None:
    day = with_total(
        counts="1.23",
        account__security="0.73",
        authy__phone__verifications="0.45",
        verify__voice__sms="0.45",
        authy__calls__outbound="0.28",
        calls="0.78",
        calls__outbound="0.78",
    )
    assert counted(day) == {"calls-outbound": "0.78", "verify-voice-sms": "0.45"}


def test_both_names_of_a_verification_count_once_without_their_family() -> None:
    day = with_total(counts="0.2", authy__phone__verifications="0.2", verify__voice__sms="0.2")
    assert counted(day) == {"verify-voice-sms": "0.2"}
    for name in ("authy__phone__verifications", "verify__voice__sms", "verify__voice__and__sms"):
        assert counted(with_total(counts="0.2", **{name: "0.2"})) == {
            name.replace("__", "-"): "0.2"
        }


def test_a_family_that_does_not_include_its_messages_never_counts_below_zero() -> None:
    day = with_total(
        counts="0.5806",
        account__security="0.2",
        authy__phone__verifications="0.2",
        verify__voice__sms="0.2",
        authy__sms__outbound="0.3806",
        sms__outbound="0.3806",
    )
    assert counted(day) == {"sms-outbound": "0.3806", "verify-voice-sms": "0.2"}
    assert roles(day)["account-security"] == "rollup"


def test_hundreds_of_messages_and_verifications_count_once() -> None:
    day = with_total(
        counts="66.3",
        account__security="42.67",
        authy__phone__verifications="31.5",
        verify__voice__sms="31.5",
        authy__sms__outbound="11.17",
        channels="34.8",
        sms="34.8",
        sms__inbound="4.1",
        sms__outbound="30.7",
        sms__outbound__longcode="21.2",
        sms__outbound__shortcode="9.5",
    )
    assert counted(day) == {
        "sms-inbound": "4.1",
        "sms-outbound-longcode": "21.2",
        "sms-outbound-shortcode": "9.5",
        "verify-voice-sms": "31.5",
    }


@pytest.mark.parametrize(
    ("old", "new", "both"),
    [
        ("0.2", "0.15", {"authy-phone-verifications": "0.05", "verify-voice-sms": "0.15"}),
        ("0.15", "0.2", {"verify-voice-sms": "0.2"}),
    ],
)
@pytest.mark.parametrize("own", ["0", "3"])
def test_names_of_one_charge_with_different_prices_count_as_the_higher_one(
    old: str, new: str, both: dict[str, str], own: str
) -> None:
    day = with_total(
        counts=f"{Decimal('0.5806') + Decimal(own)}",
        account__security=f"{Decimal('0.5806') + Decimal(own)}",
        authy__phone__verifications=old,
        verify__voice__sms=new,
        authy__sms__outbound="0.3806",
        sms__outbound="0.3806",
    )
    family = {} if own == "0" else {"account-security": "3.0000"}
    assert counted(day) == {**both, **family, "sms-outbound": "0.3806"}


@pytest.mark.parametrize("old", ["0.3", "0.5"])
def test_a_family_holds_all_that_is_below_its_rows_not_only_their_prices(old: str) -> None:
    """The two names report different verifications, and the family includes all of them."""
    both = Decimal(old) + Decimal("0.4")
    day = prices(totalprice=f"{both}", account__security=f"{both}", verify__voice__sms="0.4")
    day["authy-phone-verifications"] = Decimal(old)
    shares = deduplicate(day)
    assert shares["totalprice"].deduplicated_price == 0
    assert shares["verify-voice-sms"].deduplicated_price == Decimal("0.4")


# Two names under which Twilio can report one charge.
NAMES_OF_ONE_CHARGE = [
    ("authy-phone-verifications", "verify-voice-sms"),
    ("authy-phone-verifications", "verify-voice-and-sms"),
    ("verify-silent-network-auth", "verify-sna"),
    ("verify-packaged-plans", "verify-package-plans"),
    ("authy-verify-outbound-email", "verify-outbound-email"),
    (
        "verify-whatsapp-conversations-business-initiated",
        "verify-whatsapp-template-business-initiated",
    ),
    ("verify-whatsapp-conversations-business-initiated", "channels-whatsapp"),
    ("verify-whatsapp-template-business-initiated", "channels-whatsapp"),
    (
        "verify-whatsapp-template-business-initiated",
        "channels-whatsapp-template-authentication",
    ),
    ("conference", "calls-globalconference"),
    ("flex-conversational-insights", "conversational-insights"),
    ("flex-conversational-insights-messages", "conversational-insights-messages"),
    ("flex-conversational-insights-voice-minutes", "conversational-insights-voice-minutes"),
    ("flex-spinsci", "flex-partner-spinsci"),
    ("flex-xcelerate", "flex-partner-xcelerate"),
    ("identity-match", "lookup-identity-match"),
    (
        "marketplace-pay-addons-shuttle-pay-connector",
        "marketplay-pay-addons-shuttle-pay-connector",
    ),
    ("marketplace-pay-addons-stripe-pay-connector", "marketplay-pay-addons-stripe-pay-connector"),
    ("mms-outbound-tollfree", "mms-outbound-toll-free"),
    ("phonenumbers", "phonenumbers-numbers"),
    ("calls-client", "prog-voice-client-sdk"),
    ("rcs-messages", "usage-rcs-messages-inbound"),
    ("shortcodes-setup-fees", "short-code-setup-fees"),
    ("supersim", "wireless-super-sim-data-payg-europe"),
    ("text-to-speech", "amazon-polly"),
    ("twiml-verbs-say", "amazon-polly"),
    (
        "sms-messages-features-engagement-suite",
        "usage-programmable-messaging-engagement-suite",
    ),
    ("turnmegabytes", "video-rooms-turn-megabytes"),
]


def reported_as(*names: str) -> dict[str, Decimal | None]:
    """Return the rows of one charge: each name and all categories that contain it."""
    day: dict[str, Decimal | None] = {}
    for name in names:
        category: str | None = name
        while category:
            day[category] = Decimal("0.75")
            category = shipped().parent(category)
    return day


@pytest.mark.parametrize(("one", "other"), NAMES_OF_ONE_CHARGE)
def test_a_charge_that_twilio_reports_under_two_names_counts_once(one: str, other: str) -> None:
    assert counted(reported_as(one, other)) == {other: "0.75"}
    assert counted(reported_as(one)) == {one: "0.75"}
    assert counted(reported_as(other)) == {other: "0.75"}


def test_each_pair_of_names_in_the_table_is_among_these() -> None:
    table = shipped().categories
    with TABLE.open(encoding="utf-8") as file:
        twins = {row["category"] for row in csv.DictReader(file) if "twin" in row["evidence"]}
    doubtful = {name for name in shipped().overlaps if table[name].confidence != "high"}
    names = {name for pair in NAMES_OF_ONE_CHARGE for name in pair}
    in_chains = {*reported_as(*names)}
    assert twins | doubtful <= in_chains


# The rules, one by one.


def test_a_parent_keeps_what_its_children_do_not_hold() -> None:
    day = prices(totalprice="10", calls="10", calls__inbound="4", calls__outbound="5")
    assert counted(day) == {"calls": "1", "calls-inbound": "4", "calls-outbound": "5"}
    assert roles(day) == {
        "totalprice": "total",
        "calls": "rollup",
        "calls-inbound": "leaf",
        "calls-outbound": "leaf",
    }


def test_a_rollup_that_alone_is_priced_counts_whole() -> None:
    day = prices(totalprice="10", calls="10", calls__inbound="0", calls__outbound=None)
    assert counted(day) == {"calls": "10"}
    assert roles(day)["calls"] == "leaf"


def test_a_row_belongs_to_the_nearest_priced_category_above_it() -> None:
    day = prices(totalprice="10", calls="10", calls__inbound="0", calls__inbound__local="4")
    assert counted(day) == {"calls": "6", "calls-inbound-local": "4"}


def test_children_that_exceed_their_parent_leave_it_nothing_and_lower_the_remainder() -> None:
    day = prices(totalprice="10", calls="3", calls__inbound="2", calls__outbound="2", sms="6")
    assert counted(day) == {"calls-inbound": "2", "calls-outbound": "2", "sms": "6"}


def test_an_overlap_counts_nowhere() -> None:
    day = prices(totalprice="3", calls__outbound="3", authy__calls__outbound="2")
    assert counted(day) == {"calls-outbound": "3"}
    assert roles(day)["authy-calls-outbound"] == "overlap"


def test_what_lies_under_an_overlap_lies_in_what_includes_it() -> None:
    day = prices(
        totalprice="3", sms__outbound="3", authy__sms__outbound="2", authy__sms__outbound__uk="2"
    )
    assert counted(day) == {"sms-outbound": "1", "authy-sms-outbound-uk": "2"}


def test_an_overlap_is_subtracted_in_its_own_family_alone() -> None:
    day = prices(
        totalprice="9", account__security="5", authy__sms__outbound="2", sms="6", sms__outbound="2"
    )
    assert counted(day) == {"account-security": "3", "sms": "4", "sms-outbound": "2"}
    assert roles(day)["account-security"] == "rollup"


def test_an_overlap_counts_where_no_row_has_the_money_that_it_would_repeat() -> None:
    day = prices(totalprice="5", account__security="5", authy__sms__outbound="2")
    assert counted(day) == {"account-security": "3", "authy-sms-outbound": "2"}
    day["sms-outbound"] = Decimal(0)
    assert counted(day) == {"account-security": "3", "authy-sms-outbound": "2"}


def test_a_certain_overlap_counts_nothing_where_only_a_row_above_has_its_money() -> None:
    day = prices(totalprice="5", account__security="5", authy__sms__outbound="2", sms="2")
    assert counted(day) == {"account-security": "3", "sms": "2"}


def test_a_doubtful_overlap_counts_where_the_row_that_it_would_repeat_holds_nothing() -> None:
    name = "verify__whatsapp__template__business__initiated"
    day = prices(totalprice="9", account__security="2", channels="7", sms="7", **{name: "2"})
    assert counted(day) == {name.replace("__", "-"): "2", "sms": "7"}
    assert roles(day)[name.replace("__", "-")] == "leaf"
    day["channels-whatsapp"] = Decimal(0)
    assert roles(day)[name.replace("__", "-")] == "leaf"


def test_a_second_row_of_totalprice_counts_nothing() -> None:
    day = prices(totalprice="3", calls="2")
    day["TotalPrice"] = Decimal(3)
    assert counted(day) == {"calls": "2", "totalprice": "1"}
    assert roles(day)["TotalPrice"] == "overlap"


def test_an_unknown_leaf_with_a_telling_prefix_lies_in_the_known_rollup() -> None:
    day = prices(totalprice="10", calls="10", calls__satellite__minutes="4")
    assert counted(day) == {"calls": "6", "calls-satellite-minutes": "4"}


def test_an_unknown_leaf_can_lie_in_an_unknown_rollup() -> None:
    day = prices(totalprice="10", quantum="10", quantum__relay="4")
    assert counted(day) == {"quantum": "6", "quantum-relay": "4"}


def test_an_unknown_leaf_without_a_telling_prefix_counts_beside_the_rest() -> None:
    day = prices(totalprice="12", calls="10", quantum="2")
    assert counted(day) == {"calls": "10", "quantum": "2"}


def test_an_unknown_leaf_that_lies_in_a_rollups_own_money_takes_it_from_there() -> None:
    """Rule (a): an edge that the table lacks."""
    day = prices(totalprice="10", calls="10", calls__inbound="8", quantum="2")
    assert counted(day) == {"calls-inbound": "8", "quantum": "2"}


def test_a_row_that_lies_in_the_only_rollup_that_can_hold_it_is_found_by_its_price() -> None:
    """Rule (a), second half: the roll-up holds more than the excess."""
    day = prices(
        totalprice="10", calls="9", calls__inbound="4", sms="1", sms__inbound="1", quantum="3"
    )
    assert counted(day) == {"calls": "2", "calls-inbound": "4", "sms-inbound": "1", "quantum": "3"}


def test_an_overlap_that_lies_in_a_rollup_of_another_family_is_found_by_its_price() -> None:
    """Rule (a): the row beside the roll-up can be an overlap."""
    day = prices(
        totalprice="17",
        conference="9",
        calls__globalconference="4",
        calls__outbound="5",
        account__security="6",
        authy__phone__verifications="4",
        authy__calls__outbound="2",
        pv="1",
        group__rooms="1",
    )
    assert counted(day) == {
        "conference": "3",
        "calls-globalconference": "4",
        "calls-outbound": "5",
        "authy-phone-verifications": "4",
        "group-rooms": "1",
    }


def test_a_rollup_that_is_too_small_for_the_excess_is_no_explanation() -> None:
    """Rule (a), second half: the other roll-up keeps less than the excess."""
    day = prices(totalprice="19", calls="9", calls__inbound="4", pv="8", group__rooms="6")
    day |= prices(calls__client="3", sms="2")
    assert counted(day)["calls"] == "2"
    assert counted(day)["pv"] == "2"


def test_a_rollup_does_not_lie_in_itself() -> None:
    day = prices(totalprice="9", calls="3", calls__inbound="-1", sms="9")
    assert counted(day)["calls"] == "4"
    assert counted(day)["totalprice"] == "-3"


def test_an_unknown_rollup_over_known_rows_repeats_them() -> None:
    """Rule (b): nothing else can explain the excess."""
    day = prices(totalprice="9", calls="4", sms="5", communications="9")
    assert counted(day) == {"calls": "4", "sms": "5"}
    assert roles(day)["communications"] == "overlap"


def test_two_unknown_rows_that_together_make_the_excess_repeat_others() -> None:
    day = prices(totalprice="9", calls="4", sms="5", communications="7", quantum="1.5")
    assert counted(day) == {"calls": "4", "sms": "5"}
    assert roles(day)["communications"] == roles(day)["quantum"] == "overlap"


def test_an_excess_with_two_explanations_is_left_to_the_remainder() -> None:
    day = prices(totalprice="12", calls="9", communications="3", quantum="3")
    assert counted(day) == {"calls": "9", "communications": "3", "quantum": "3", "totalprice": "-3"}
    assert "overlap" not in roles(day).values()


def test_known_rows_in_a_doubtful_place_are_looked_at_after_unknown_ones() -> None:
    assert shipped().confidence("text-to-speech") == "low"
    day = prices(totalprice="9", calls="4", sms="5", text__to__speech="3")
    assert roles(day)["text-to-speech"] == "overlap"


def test_two_fitting_rows_are_not_passed_over_for_a_fitting_pair() -> None:
    """At the first size at which any set fits, it has to be the only one."""
    day = prices(totalprice="15", calls="9", one="3", two="3", three="1", four="2")
    assert counted(day)["totalprice"] == "-3"
    assert "overlap" not in roles(day).values()


def test_three_unknown_rows_that_together_make_the_excess_repeat_others() -> None:
    day = prices(totalprice="9", calls="9", one="1.1", two="2.2", three="4.4", four="30")
    day["totalprice"] = Decimal(39)
    overlaps = [category for category, role in roles(day).items() if role == "overlap"]
    assert overlaps == ["one", "two", "three"]


def test_only_a_top_level_row_can_lie_in_a_rollup_beside_it() -> None:
    """Rule (a): the row of the excess's price must itself stand beside the roll-up."""
    day = prices(
        totalprice="13", calls="9", calls__inbound="4", pv="5", group__rooms="3", calls__client="2"
    )
    assert counted(day)["calls"] == "5"
    assert counted(day)["totalprice"] == "-3"


def test_a_row_within_rounding_explains_nothing() -> None:
    tiny = {f"lookups{n}": "0.0001" for n in range(60)}
    day = prices(totalprice="10.0035", calls="10", **tiny, quantum="0.0015")
    assert rounding(day) > Decimal("0.0015")
    assert counted(day)["quantum"] == "0.0015"
    assert counted(day)["totalprice"] == "-0.0040"


def test_an_unknown_row_is_suspected_before_a_known_one_of_the_same_price() -> None:
    day = prices(totalprice="12", calls="9", text__to__speech="3", quantum="3")
    assert roles(day)["quantum"] == "overlap"
    assert roles(day)["text-to-speech"] == "leaf"


def test_two_rollups_that_could_hold_the_excess_are_left_alone() -> None:
    """Rule (a) needs one: neither where the amounts are equal, nor where they are large enough."""
    rollups = {"calls__inbound": "4", "pv": "9", "group__rooms": "6"}
    equal = prices(totalprice="17", calls="7", **rollups, calls__client="4")
    assert counted(equal)["calls"] == counted(equal)["pv"] == "3"
    assert counted(equal)["totalprice"] == "-3"
    large = prices(totalprice="16", calls="7", **rollups, calls__client="2")
    assert counted(large)["calls"] == counted(large)["pv"] == "3"
    assert counted(large)["totalprice"] == "-2"


def test_sets_are_looked_for_among_few_candidates_only() -> None:
    def day(candidates: int) -> dict[str, Decimal | None]:
        unknown = {f"new{n}": f"{2**n}" for n in range(candidates)}
        total = 2**candidates - 1 - 3  # new0 and new1 too many
        return prices(totalprice=f"{total}", **unknown)

    assert [c for c, role in roles(day(14)).items() if role == "overlap"] == ["new0", "new1"]
    assert "overlap" not in roles(day(15)).values()


def counted_of(
    day: Mapping[str, Decimal | None], **quantities: tuple[str | None, str | None]
) -> dict[str, Decimal]:
    """Return what counts, by category, if the rows have this count and usage."""
    known = {
        name.replace("__", "-"): (
            None if count is None else Decimal(count),
            None if usage is None else Decimal(usage),
        )
        for name, (count, usage) in quantities.items()
    }
    shares = deduplicate(day, quantities=lambda: known)
    return {c: s.deduplicated_price for c, s in shares.items() if s.deduplicated_price}


def test_leaves_that_equal_each_other_in_price_count_and_usage_count_once() -> None:
    day = prices(totalprice="9", calls="4", carrier__lookups="5", sim__swap__lookups="5")
    same = {"carrier__lookups": ("3", "6"), "sim__swap__lookups": ("3.0", "6.00")}
    assert counted_of(day, **same) == {"calls": 4, "carrier-lookups": 5}
    shares = deduplicate(day, quantities=lambda: {c: (Decimal(1), Decimal(1)) for c in day})
    assert shares["sim-swap-lookups"] == Share("overlap", Decimal(0))


@pytest.mark.parametrize(
    "other", [("4", "6"), ("3", "7"), (None, "6"), ("3", None)], ids=["count", "usage", "?", "?2"]
)
def test_leaves_that_differ_in_count_or_usage_are_no_repetition(
    other: tuple[str | None, str | None],
) -> None:
    day = prices(totalprice="9", calls="4", carrier__lookups="5", sim__swap__lookups="5")
    found = counted_of(day, carrier__lookups=("3", "6"), sim__swap__lookups=other)
    assert found["totalprice"] == -5
    assert "totalprice" in counted(day)
    unknown = counted_of(day, carrier__lookups=other, sim__swap__lookups=other)
    assert (None in other) == ("totalprice" in unknown)


def test_of_two_names_of_one_charge_the_one_whose_place_is_surer_counts() -> None:
    day = prices(
        totalprice="9",
        calls="4",
        a2p__10dlc__registrationfees__onetime="5",
        a2p__10dlc__registrationfees__bv="5",
        carrier__lookups="5",
    )
    same = {"a2p__10dlc__registrationfees__bv": ("3", "6"), "carrier__lookups": ("3", "6")}
    assert counted_of(day, **same) == {"calls": 4, "carrier-lookups": 5}
    day = prices(totalprice="9", calls="4", quantum__a="5", quantum__b="5")
    assert counted_of(day)["totalprice"] == -5
    same = {"quantum__a": ("3", "6"), "quantum__b": ("3", "6")}
    assert counted_of(day, **same) == {"calls": 4, "quantum-a": 5}


def test_leaves_that_equal_each_other_all_count_where_there_is_no_excess() -> None:
    day = prices(totalprice="10", carrier__lookups="5", sim__swap__lookups="5")
    same = {"carrier__lookups": ("3", "6"), "sim__swap__lookups": ("3", "6")}
    assert counted_of(day, **same) == {"carrier-lookups": 5, "sim-swap-lookups": 5}


def test_rollups_that_keep_the_same_money_are_not_compared() -> None:
    day = prices(totalprice="12", calls="9", calls__inbound="4", pv="8", group__rooms="3")
    same = {"calls": ("3", "6"), "pv": ("3", "6")}
    assert counted_of(day, **same)["totalprice"] == -5


def test_two_pairs_of_equal_leaves_that_explain_the_excess_are_left_alone() -> None:
    names = ("carrier-lookups", "sim-swap-lookups", "calls-client", "recordingstorage")
    day = {"totalprice": Decimal(15), **dict.fromkeys(names, Decimal(5))}
    quantities = {name: (Decimal(number // 2), Decimal(1)) for number, name in enumerate(names)}
    shares = deduplicate(day, quantities=lambda: quantities)
    assert shares["totalprice"].deduplicated_price == -5
    shares = deduplicate({**day, "totalprice": Decimal(10)}, quantities=lambda: quantities)
    assert [c for c, s in shares.items() if s.role == "overlap"] == [
        "sim-swap-lookups",
        "recordingstorage",
    ]


def test_rows_whose_place_is_sure_are_never_taken_away() -> None:
    day = prices(totalprice="4", calls="4", calls__client="5")
    assert counted(day) == {"calls": "4", "calls-client": "5", "totalprice": "-5"}


def test_rounding_is_no_excess() -> None:
    day = prices(totalprice="8.9999", calls="4", sms="5", quantum="0.0001")
    assert counted(day)["quantum"] == "0.0001"
    assert counted(day)["totalprice"] == "-0.0002"
    assert rounding(day) == Decimal("0.00020")


def test_an_adjustment_below_zero_counts_as_it_stands() -> None:
    day = prices(totalprice="7", calls="10", min__spend__adjustments="-3")
    assert counted(day) == {"calls": "10", "min-spend-adjustments": "-3"}


def test_a_day_of_refunds_is_the_mirror_image_of_a_day_of_charges() -> None:
    day = real("voice_and_verify")
    refunds = {category: -price for category, price in day.items() if price}
    assert counted(refunds) == {category: f"-{price}" for category, price in counted(day).items()}
    assert roles(refunds) == roles(day)
    day = prices(totalprice="-9", calls="-4", sms="-5", communications="-9", calls__client="0")
    assert counted(day) == {"calls": "-4", "sms": "-5"}
    assert roles(day)["communications"] == "overlap"


def test_refunds_that_exceed_their_roll_up_leave_it_nothing() -> None:
    day = prices(totalprice="-10", calls="-3", calls__inbound="-2", calls__outbound="-2")
    assert counted(day) == {"calls-inbound": "-2", "calls-outbound": "-2", "totalprice": "-6"}


def test_a_rollup_below_zero_keeps_the_plain_difference() -> None:
    day = prices(totalprice="-3", calls="-3", calls__inbound="2")
    assert counted(day) == {"calls": "-5", "calls-inbound": "2"}


def test_money_in_no_category_stays_with_the_total() -> None:
    assert counted(prices(totalprice="10.01", calls="10")) == {"calls": "10", "totalprice": "0.01"}


def test_names_are_compared_without_case_and_kept_as_they_are() -> None:
    day = prices(TotalPrice="10", CALLS="10", Calls__Inbound="4")
    assert counted(day) == {"CALLS": "6", "Calls-Inbound": "4"}


def test_whitespace_around_a_name_is_ignored() -> None:
    day = {" sms ": Decimal(5), "sms-outbound\n": Decimal(5), "totalprice ": Decimal(5)}
    assert {name: share.deduplicated_price for name, share in deduplicate(day).items()} == {
        " sms ": 0,
        "sms-outbound\n": 5,
        "totalprice ": 0,
    }


def test_of_a_name_in_two_spellings_one_row_has_the_children() -> None:
    day = prices(totalprice="7", calls="3", CALLS="4", calls__inbound="1")
    assert counted(day) == {"calls": "2", "CALLS": "4", "calls-inbound": "1"}
    assert counted(dict(reversed(day.items()))) == counted(day)


def test_a_total_without_a_price_is_none() -> None:
    shares = deduplicate(prices(totalprice=None, calls="10"))
    assert shares["calls"] == Share("leaf", None)


# Invariants.

LONG = st.decimals(min_value=-(10**40), max_value=10**40, places=40)
MONEY = st.decimals(min_value=-10_000, max_value=10_000, places=6)
SMALL = st.decimals(min_value=-9, max_value=9, places=1)
KNOWN = st.sampled_from([name for name in shipped().categories if name != "totalprice"])
UNKNOWN = st.from_regex(r"(calls|sms|pv|new)(-[a-c]{1,2}){0,3}", fullmatch=True) | st.text(
    min_size=1, max_size=8
)
DAYS = st.dictionaries(KNOWN | UNKNOWN, st.none() | MONEY | SMALL, max_size=25)
NAMES = st.sampled_from(["totalprice", "a", "a-b", "a-b-c", "b", "b-c", "c", "d"])
DAMAGED = st.lists(
    st.builds(
        Category,
        category=NAMES,
        parent=st.none() | NAMES,
        also_included_in=st.lists(NAMES, max_size=1).map(tuple),
        service=st.just("Voice"),
        billing_kind=st.just("usage"),
        confidence=st.sampled_from(["high", "low"]),
        description=st.none(),
    )
).map(Hierarchy)


def reconciles(
    day: Mapping[str, Decimal | None], total: Decimal, hierarchy: Hierarchy | None = None
) -> None:
    day = {**{c: p for c, p in day.items() if c.strip().lower() != "totalprice"}}
    day["totalprice"] = total
    shares = deduplicate(day, hierarchy)
    assert shares.keys() == day.keys()
    with localcontext(EXACT):
        assert sum(share.deduplicated_price or 0 for share in shares.values()) == total
    assert None not in {share.deduplicated_price for share in shares.values()}
    assert {share.role for share in shares.values()} <= {"total", "rollup", "leaf", "overlap"}


@given(DAYS, MONEY | SMALL | LONG)
def test_shares_sum_to_the_total(day: dict[str, Decimal | None], total: Decimal) -> None:
    reconciles(day, total)


@given(DAYS, MONEY | SMALL, st.data())
def test_shares_sum_to_the_total_with_and_without_each_parent(
    day: dict[str, Decimal | None], total: Decimal, data: st.DataObject
) -> None:
    parents = {shipped().parent(category.strip().lower()) for category in day} - {None}
    for parent in sorted(map(str, parents)):
        without = {category: price for category, price in day.items() if category != parent}
        reconciles(without, total)
        reconciles({**without, parent: data.draw(MONEY)}, total)


@given(st.dictionaries(NAMES | UNKNOWN, st.none() | SMALL, max_size=10), SMALL, DAMAGED)
def test_a_damaged_table_costs_no_dollar(
    day: dict[str, Decimal | None], total: Decimal, hierarchy: Hierarchy
) -> None:
    reconciles(day, total, hierarchy)


@given(DAYS, MONEY | SMALL, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_a_second_run_change_nothing(
    day: dict[str, Decimal | None], total: Decimal, shuffler: random.Random
) -> None:
    day = {**day, "totalprice": total}
    shuffled = list(day.items())
    shuffler.shuffle(shuffled)
    first = deduplicate(day)
    assert deduplicate(dict(shuffled)) == first
    assert deduplicate(day) == first


CHARGES = st.dictionaries(
    KNOWN | UNKNOWN,
    st.none() | st.decimals(min_value=0, max_value=9, places=1),
    max_size=25,
)


@given(CHARGES, st.decimals(min_value=0, max_value=99, places=1))
def test_refunds_mirror_charges(day: dict[str, Decimal | None], total: Decimal) -> None:
    day = {**day, "totalprice": total}
    refunds = {category: price and -price for category, price in day.items()}
    shares = deduplicate(day)
    assert deduplicate(refunds) == {
        c: Share(s.role, -(s.deduplicated_price or Decimal(0))) for c, s in shares.items()
    }


@given(CHARGES, st.decimals(min_value=0, max_value=99, places=1))
def test_no_row_of_a_day_of_charges_counts_more_than_its_price_or_less_than_nothing(
    day: dict[str, Decimal | None], total: Decimal
) -> None:
    day = {c: price for c, price in day.items() if c.strip().lower() != "totalprice"}
    for category, share in deduplicate({**day, "totalprice": total}).items():
        if category != "totalprice":
            assert 0 <= (share.deduplicated_price or 0) <= (day[category] or 0)
            assert share.role != "overlap" or not share.deduplicated_price


@given(CHARGES, st.decimals(min_value=0, max_value=99, places=1), st.data())
def test_count_and_usage_change_no_sum_and_their_order_changes_nothing(
    day: dict[str, Decimal | None], total: Decimal, data: st.DataObject
) -> None:
    day = {c: price for c, price in day.items() if c.strip().lower() != "totalprice"}
    day["totalprice"] = total
    few = st.none() | st.sampled_from([Decimal(1), Decimal(2)])
    quantities = {category: data.draw(st.tuples(few, few)) for category in day}
    shares = deduplicate(day, quantities=lambda: quantities)
    assert sum(share.deduplicated_price or 0 for share in shares.values()) == total
    backwards = dict(reversed(day.items()))
    assert deduplicate(backwards, quantities=lambda: dict(reversed(quantities.items()))) == shares


@given(
    st.dictionaries(KNOWN, st.decimals(min_value=0, max_value=100, places=5), max_size=20),
    st.decimals(min_value=0, max_value=100, places=5),
)
def test_charges_are_found_where_they_were_made(
    charges: dict[str, Decimal], elsewhere: Decimal
) -> None:
    """Rows built from charges by the shipped tree give back each charge's home."""
    hierarchy = shipped()
    charges = {c: price for c, price in charges.items() if price and c not in hierarchy.overlaps}
    rows: dict[str, Decimal | None] = dict.fromkeys(hierarchy.categories, Decimal(0))
    for home, price in charges.items():
        category: str | None = home
        while category:
            rows[category] = (rows[category] or Decimal(0)) + price
            category = hierarchy.parent(category)
    rows["totalprice"] = (rows["totalprice"] or Decimal(0)) + elsewhere
    found = {
        category: share.deduplicated_price
        for category, share in deduplicate(rows).items()
        if share.deduplicated_price
    }
    assert found == {**charges, **({"totalprice": elsewhere} if elsewhere else {})}
