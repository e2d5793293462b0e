"""The usage records of one account."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

from tap_twilio_usage.logs.anomalies import Findings
from tap_twilio_usage.money import parsers, usage_record
from tap_twilio_usage.money.hierarchy import TOTAL, normalise
from tap_twilio_usage.money.parsers import Fields, InvalidRecordError
from tap_twilio_usage.money.usage_record import Periods, Totals, UsageRecord
from tap_twilio_usage.twilio.client import Client
from tap_twilio_usage.twilio.errors import ApiError, Denied, InvalidResponseError, NotFound
from tap_twilio_usage.twilio.pages import fetch_pages
from tap_twilio_usage.twilio.periods import Granularity, Window
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

    @property
    def price(self) -> Decimal | None:
        """The price of the whole history; None if it has no amount."""
        return self.amounts[-1] if self.amounts else None


class Account:
    """The usage of one account, with or without its subaccounts."""

    def __init__(  # noqa: PLR0913  (each is one thing, passed by name)
        self,
        client: Client,
        sid: str,
        *,
        includes_subaccounts: bool,
        page_size: int,
        today: Callable[[], date],
        date_created: date | None = None,
        name: str | None = None,
    ) -> None:
        """Request nothing yet; `date_created` and `name` where they are known already."""
        self.sid = sid
        self.friendly_name = name  # None until Twilio has sent it
        self.includes_subaccounts = includes_subaccounts
        self.findings = Findings()
        self._client = client
        self._page_size = page_size
        self._today = today
        self._date_created = date_created
        self._owner_sid = ""

    @property
    def client(self) -> Client:
        """The client that can read the account."""
        return self._client

    @once
    def fetch_all_time(self) -> list[Reported]:
        """Return each category with its whole history; requested once per run.

        A response proves that the account can be read, so that a later 404 means "no data".
        Raises ApiError.
        """
        rows = self._fetch_records("AllTime", {}, "AllTime", usage_record.UNDATED)
        return [_reported(row) for row in {row.category: row for row in rows}.values()]

    @once
    def fetch_date_created(self) -> date | None:
        """Return the account's first day, GMT; None if these credentials cannot read it."""
        if self._date_created:
            return self._date_created
        try:
            body = self._client.get(f"{API}/{self.sid}.json", retry_if_denied=False)
            name = friendly_name(body.get("friendly_name"))
            self.friendly_name = name and self._client.redactor.text(name)
            self._owner_sid = parsers.canonical_sid(f"{body.get('owner_account_sid') or ''}")
            return day_created(body.get("date_created"), self._today())
        except (Denied, NotFound, ValueError):
            return None

    def fetch_owner(self) -> str | None:
        """Return the SID of its main account; None if these credentials cannot read it."""
        self.fetch_date_created()  # the response has both
        return self._owner_sid or None

    def fetch_name(self) -> str | None:
        """Return the account's name; None if it has none or these credentials cannot read it."""
        if self.friendly_name is None:
            self.fetch_date_created()  # the response has both
        return self.friendly_name

    def fetch_usage(self, granularity: Granularity, window: Window) -> Periods:
        """Return the records of each period of the window that has any, by its first day.

        A period has one record per category, ordered by name. A 404 ("no data") may be about a
        part of the window only: then each period is requested by itself. Raises ApiError.
        """
        return self._fetch_periods(granularity, window, {})

    def fetch_totals(
        self, granularity: Granularity, window: Window, *, at_once: bool = False
    ) -> Totals:
        """Return the `totalprice` of each period of the window that has one, by its first day.

        Twilio sends one small record for each period, so that years fit on a page. `at_once`: a 404
        is raised as NotFound, and no period is requested by itself. Raises ApiError.
        """
        periods = self._fetch_periods(granularity, window, {"Category": TOTAL}, at_once=at_once)
        return {
            day: row
            for day, rows in periods.items()
            for row in rows
            if normalise(row.category) == TOTAL
        }

    def _fetch_periods(
        self,
        granularity: Granularity,
        window: Window,
        more: dict[str, str],
        *,
        at_once: bool = False,
    ) -> Periods:
        params = {"StartDate": f"{window.start}", "EndDate": f"{window.end}", **more}
        try:
            rows = self._fetch_records(
                granularity.resource, params, f"{window}", usage_record.FIELDS
            )
        except NotFound:
            if at_once:
                raise
            parts = list(window.split(1, granularity))
            if len(parts) == 1:
                return {}
            answers = (self._fetch_periods(granularity, part, more) for part in parts)
            return {day: rows for answer in answers for day, rows in answer.items()}
        periods = self._by_period(rows, granularity, f"{window}", window)
        for before, after in pairwise(periods):
            if granularity.following(before) > after:
                raise InvalidResponseError(
                    f"{window}: Twilio sent one period with two first days, {before} and {after}"
                )
        return _from_first_days(granularity, periods)

    def fetch_current_usage(self, granularity: Granularity) -> Periods:
        """Return the records of the one period that the resource names, by its first day.

        Raises ApiError.
        """
        resource = granularity.resource
        try:
            rows = self._fetch_records(resource, {}, resource, usage_record.FIELDS)
        except NotFound:
            return {}
        periods = self._by_period(rows, granularity, resource)
        if len(periods) > 1:
            raise InvalidResponseError(
                f"{resource}: Twilio sent {len(periods)} periods, from {min(periods)} to "
                f"{max(periods)}, instead of one"
            )
        return _from_first_days(granularity, periods)

    def _by_period(
        self,
        rows: list[UsageRecord],
        granularity: Granularity,
        requested: str,
        window: Window | None = None,
    ) -> Periods:
        spans = {(row.start_date, row.end_date): row for row in rows}
        for (start, end), row in spans.items():
            if not granularity.is_single_period(start, end) or (window and start not in window):
                raise InvalidResponseError(
                    f"{requested}: Twilio sent category {row.category!r} for {start}..{end}, which "
                    "was not requested"
                )
        periods: dict[date, dict[str, UsageRecord]] = {start: {} for start, _ in spans}
        for row in rows:
            period, category = periods[row.start_date], row.category
            before = period.get(category)
            if before is None or (before.as_of or "") <= (row.as_of or ""):
                period[category] = row
            if before is None:
                continue
            self.findings.repeated_rows += 1
            if before.price_unit != row.price_unit:
                raise ApiError(
                    f"{row.start_date}: category {category!r} has two currencies, "
                    f"{before.price_unit!r} and {row.price_unit!r}, but a row has only one; with "
                    "subaccounts: rolled_up, try subaccounts: separate"
                )
        return {
            day: [row for _, row in sorted(period.items())]
            for day, period in sorted(periods.items())
        }

    def _fetch_records(
        self, resource: str, params: dict[str, str], requested: str, fields: Fields
    ) -> list[UsageRecord]:
        path = f"{API}/{self.sid}/Usage/Records/{resource}.json"
        params = {
            **params,
            "IncludeSubaccounts": "true" if self.includes_subaccounts else "false",
            "PageSize": f"{self._page_size}",
        }
        rows: list[UsageRecord] = []
        for page in fetch_pages(self._client, path, params, "usage_records", usage_record.PAGE):
            try:
                rows += usage_record.read(page, fields)
            except (AttributeError, ValueError):
                rows += self._read_one_by_one(page, len(rows), requested, fields)
        sids = [row.account_sid for row in rows]
        for sid in set(sids):
            if sid != self.sid:
                raise ApiError(
                    f"usage record {sids.index(sid) + 1} of {requested}: it is of another account "
                    f"than {self.sid}, which was requested; check account_sid"
                )
        return rows

    def _read_one_by_one(
        self, page: list[Any], before: int, requested: str, fields: Fields
    ) -> list[UsageRecord]:
        """Return the records of a page that has unusual ones; `before` it there were so many."""
        rows = []
        for position, raw in enumerate(page, before + 1):
            try:
                rows.append(usage_record.read_one(raw, fields))
            except InvalidRecordError as error:
                raise InvalidResponseError(
                    f"usage record {position} of {requested} of {self.sid}: {error}"
                ) from None
            self.findings.unknown_fields |= usage_record.unknown_fields(raw)
        return rows


def day_created(value: object, today: date) -> date | None:
    """Return the day of a date as in a mail's header; None if it is missing or in the future.

    Raises ValueError if it is not such a date.
    """
    if value is None or value == "":
        return None
    day = parsers.mail_date(value).date()
    return day if day <= today else None


def friendly_name(value: object) -> str | None:
    """Return an account's name without surrounding whitespace; None if it is not a valid name."""
    return value.strip() or None if isinstance(value, str) and value.isprintable() else None


def _from_first_days(granularity: Granularity, periods: Periods) -> Periods:
    """Let each period start on its first day, also the one in which the account was created.

    The day is part of the key: zeros that overwrite rows have to find it without that date. The
    rows are changed in place.
    """
    from_first_days: Periods = {}
    for day, rows in periods.items():
        first = granularity.first(day)
        from_first_days[first] = rows
        for row in rows:
            row.start_date = first
    return from_first_days


def _reported(row: UsageRecord) -> Reported:
    reported = Reported(
        row.category,
        row.description,
        row.count_unit,
        row.usage_unit,
        row.price_unit,
        None if usage_record.is_zero(row) else usage_record.amounts(row),
    )
    return reported if reported.amounts else _shared(reported)


@cache
def _shared(reported: Reported) -> Reported:
    """Return the same object for all accounts, to save memory: most categories are unused."""
    return reported
