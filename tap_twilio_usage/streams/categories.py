"""The stream `categories`: the shipped hierarchy, joined with the categories of the account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th

from tap_twilio_usage._compat import override
from tap_twilio_usage.money.hierarchy import (
    UNKNOWN_BILLING_KIND,
    UNKNOWN_SERVICE,
    normalise,
    shipped,
)
from tap_twilio_usage.streams.base import TwilioStream
from tap_twilio_usage.twilio.errors import ApiError, RetriesExhausted
from tap_twilio_usage.twilio.threads import InOrder
from tap_twilio_usage.twilio.usage_records import Account, Reported

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context


class CategoriesStream(TwilioStream):
    """All categories that are in the shipped hierarchy or that an account reports."""

    name = "categories"
    primary_keys = ("category",)
    schema = th.PropertiesList(
        th.Property("category", th.StringType, required=True, description="As Twilio writes it"),
        th.Property("description", th.StringType, description="Twilio's name for it"),
        th.Property(
            "parent_category",
            th.StringType,
            description="The category whose price includes it; inferred from the name if unknown",
        ),
        th.Property(
            "also_included_in",
            th.ArrayType(th.StringType),
            description=(
                "For an overlap: the categories of another family that count the same money"
            ),
        ),
        th.Property("service", th.StringType, description="Product family"),
        th.Property("level", th.IntegerType, description="Steps below totalprice, which is 0"),
        th.Property("role", th.StringType, description="total, rollup, leaf or overlap"),
        th.Property("billing_kind", th.StringType, description="How it is billed"),
        th.Property("count_unit", th.StringType, description="Unit of count"),
        th.Property("usage_unit", th.StringType, description="Unit of usage"),
        th.Property(
            "is_known", th.BooleanType, description="Whether it is in the shipped hierarchy"
        ),
        th.Property("is_reported", th.BooleanType, description="Whether an account reports it now"),
        th.Property(
            "confidence",
            th.StringType,
            description="How certain its parent is: high, medium, low or inferred",
        ),
    ).to_dict()

    @override
    def rows(self, context: Context | None) -> Iterator[dict[str, Any]]:
        reported = self._reported()
        hierarchy = shipped()
        names = {normalise(category) for category in reported}
        containers = hierarchy.containers(names)
        unreported = hierarchy.categories.keys() - names
        for category in sorted(reported.keys() | unreported):
            role = hierarchy.role(normalise(category), containers)
            yield _category(category, role, reported.get(category), names)

    def _reported(self) -> dict[str, Reported]:
        """Return the categories that any account reports, by name."""
        session = self.session
        accounts = self.fetch_accounts()
        chosen = accounts.first_of_each if self.is_test else accounts.chosen
        answers = InOrder(Account.fetch_all_time, chosen, self.max_requests)
        reported: dict[str, Reported] = {}
        for account in chosen:
            # Requests made in advance may have failed in an outage that has ended since.
            answers.begin_again(RetriesExhausted)
            try:
                answer = next(answers)
            except ApiError as error:
                if not session.settings.separates_accounts:
                    raise
                self.fail({"account_sid": account.sid}, error)
            else:
                session.failures.mark_success()
                reported = {each.category: each for each in answer} | reported
        return reported


def _category(
    category: str, role: str, reported_as: Reported | None, reported: set[str]
) -> dict[str, Any]:
    hierarchy = shipped()
    name = normalise(category)
    known = hierarchy.categories.get(name)
    return {
        "category": category,
        "description": (reported_as and reported_as.description) or (known and known.description),
        "parent_category": hierarchy.parent(name, reported),
        "also_included_in": list(known.also_included_in) if known else [],
        "service": known.service if known else UNKNOWN_SERVICE,
        "level": hierarchy.level(name, reported),
        "role": role,
        "billing_kind": known.billing_kind if known else UNKNOWN_BILLING_KIND,
        "count_unit": (reported_as and reported_as.count_unit) or None,
        "usage_unit": (reported_as and reported_as.usage_unit) or None,
        "is_known": known is not None,
        "is_reported": reported_as is not None,
        "confidence": hierarchy.confidence(name),
    }
