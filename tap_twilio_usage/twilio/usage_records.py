"""What one account says of itself before its days are read."""

from __future__ import annotations

from datetime import date
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

from tap_twilio_usage.logs.anomalies import Findings
from tap_twilio_usage.money import parsers, usage_record
from tap_twilio_usage.money.parsers import Fields, InvalidRecordError
from tap_twilio_usage.money.usage_record import Periods, UsageRecord
from tap_twilio_usage.twilio.client import Client
from tap_twilio_usage.twilio.errors import ApiError, Denied, NotFound
from tap_twilio_usage.twilio.periods import Granularity, Window, today
from tap_twilio_usage.twilio.threads import once

API = "/2010-04-01/Accounts"


class Reported(NamedTuple):
    """A category that an account reports; the amounts of its whole history, if it has any."""

    category: str
    description: str | None
    count_unit: str | None
    usage_unit: str | None
    price_unit: str | None
    amounts: usage_record.Amounts | None = None


class Account:
    """Usage records of one account, with or without its subaccounts."""

    def __init__(
        self,
        client: Client,
        sid: str,
        *,
        includes_subaccounts: bool,
        page_size: int,
        date_created: date | None = None,
    ) -> None:
        """Ask nothing yet; not at all for `date_created` where it is known."""
        self.sid = sid
        self.friendly_name: str | None = None  # as long as Twilio has not said it
        self._date_created = date_created
        self.includes_subaccounts = includes_subaccounts
        self._client = client
        self._page_size = page_size
        self.findings = Findings()

    @once
    def fetch_all_time(self) -> list[Reported]:
        """Return each category with its whole history; asked once a run.

        That it answers proves the account readable, so that a later 404 means "no data".
        """
        rows = self._records("AllTime", {}, "AllTime", usage_record.UNDATED)
        return [_reported(row) for row in {row.category: row for row in rows}.values()]

    @once
    def fetch_date_created(self) -> date | None:
        """Return the day the account began, GMT; None where these credentials cannot read it."""
        if self._date_created:
            return self._date_created
        try:
            answer = self._client.get(f"{API}/{self.sid}.json", try_again_if_denied=False)
            self.friendly_name = friendly_name(answer.get("friendly_name"))
            return day_created(answer.get("date_created"))
        except (Denied, NotFound, ValueError):
            return None

    def usage(self, granularity: Granularity, window: Window) -> Periods:
        """Give the records of each period of the window that has any, by its first day.

        A period has one record a category, ordered by name. Where Twilio answers that there is no
        data for the window (404) it may mean a part of it only: each period is asked for then.
        """
        params = {"StartDate": f"{window.start}", "EndDate": f"{window.end}"}
        try:
            rows = self._records(granularity.resource, params, f"{window}", usage_record.FIELDS)
        except NotFound:
            periods = list(window.split(1, granularity))
            if len(periods) == 1:
                return {}
            answers = (self.usage(granularity, period) for period in periods)
            return {day: rows for answer in answers for day, rows in answer.items()}
        answer = self._by_period(rows, granularity, f"{window}", window)
        for before, after in pairwise(answer):
            if granularity.following(before) > after:
                raise ApiError(
                    f"{window}: Twilio sent two periods, from {before} and from {after}, where "
                    "there is one"
                )
        return _whole(granularity, answer)

    def usage_now(self, granularity: Granularity) -> Periods:
        """Give the records of the one period that the resource means, by its first day."""
        asked = granularity.resource
        try:
            rows = self._records(asked, {}, asked, usage_record.FIELDS)
        except NotFound:
            return {}
        answer = self._by_period(rows, granularity, asked)
        if len(answer) > 1:
            raise ApiError(
                f"{asked}: Twilio sent periods from {min(answer)} to {max(answer)}, where there "
                "is one"
            )
        return _whole(granularity, answer)

    def _by_period(
        self,
        rows: list[UsageRecord],
        granularity: Granularity,
        asked: str,
        window: Window | None = None,
    ) -> Periods:
        spans = {(row.start_date, row.end_date): row for row in rows}
        for (start, end), row in spans.items():
            if not granularity.is_single_period(start, end) or (window and start not in window):
                raise ApiError(
                    f"{asked}: Twilio sent category {row.category!r} for {start}..{end}, which "
                    "was not asked for"
                )
        periods: dict[date, dict[str, UsageRecord]] = {start: {} for start, _ in spans}
        for row in rows:
            period, category = periods[row.start_date], row.category
            before = period.get(category)
            period[category] = row
            if before is None:
                continue
            self.findings.repeated_rows += 1
            if before.price_unit != row.price_unit:
                raise ApiError(
                    f"{row.start_date}: category {category!r} came in two currencies, "
                    f"{before.price_unit!r} and {row.price_unit!r}; one row holds only one"
                )
        return {
            day: [row for _, row in sorted(period.items())]
            for day, period in sorted(periods.items())
        }

    def _records(
        self, kind: str, params: dict[str, str], asked: str, fields: Fields
    ) -> list[UsageRecord]:
        path = f"{API}/{self.sid}/Usage/Records/{kind}.json"
        params = {
            **params,
            "IncludeSubaccounts": "true" if self.includes_subaccounts else "false",
            "PageSize": f"{self._page_size}",
        }
        rows: list[UsageRecord] = []
        for page in self._client.pages(path, params, "usage_records", usage_record.PAGE):
            try:
                rows += usage_record.read(page, fields)
            except (AttributeError, ValueError):
                rows += self._one_by_one(page, f"of {asked} of {self.sid}", len(rows), fields)
        sids = [row.account_sid for row in rows]
        for sid in set(sids):
            if sid.lower() != self.sid.lower():
                raise ApiError(
                    f"usage record {sids.index(sid) + 1} of {asked}: it is of another account "
                    f"than {self.sid}, which was asked for"
                )
        return rows

    def _one_by_one(
        self, page: list[Any], of: str, before: int, fields: Fields
    ) -> list[UsageRecord]:
        rows = []
        for position, raw in enumerate(page, before + 1):
            try:
                rows.append(usage_record.read_one(raw, fields))
            except InvalidRecordError as error:
                raise ApiError(f"usage record {position} {of}: {error}") from None
            self.findings.unknown_fields |= usage_record.unknown_fields(raw)
        return rows


def day_created(value: object) -> date | None:
    """Give the day of a mail's date; None if there is none, or it is yet to come."""
    if value is None or value == "":
        return None
    day = parsers.mail_date(value).date()
    return day if day <= today() else None


def friendly_name(value: object) -> str | None:
    """Give an account's name; None for what is none."""
    return value.strip() or None if isinstance(value, str) and value.isprintable() else None


def _whole(granularity: Granularity, periods: Periods) -> Periods:
    """Let each period begin with its first day, also the one in which the account began.

    The day is in the key, and zeros overwrite rows by it when nobody asks when the account began.
    """
    whole: Periods = {}
    for day, rows in periods.items():
        first = granularity.first(day)
        whole[first] = rows
        for row in rows:
            row.start_date = first
    return whole


def _reported(row: UsageRecord) -> Reported:
    reported = Reported(
        row.category,
        row.description,
        row.count_unit,
        row.usage_unit,
        row.price_unit,
        None if usage_record.is_zero(row) else usage_record.amounts(row),
    )
    return reported if reported.amounts else _one_for_all(reported)


@cache
def _one_for_all(reported: Reported) -> Reported:
    """Give one object for all accounts: of hundreds, each reports hundreds of unused categories."""
    return reported
