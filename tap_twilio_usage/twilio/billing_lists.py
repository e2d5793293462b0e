"""Lists of the Usage API v2, requested in the form that Twilio takes.

`billing_form.py` has the forms that it may take. Which one it is, is found out once in a run, with
the first list; that form is kept for all billing groups and pages.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlencode

from tap_twilio_usage.logs.anomalies import Findings
from tap_twilio_usage.logs.wording import Logger
from tap_twilio_usage.money.parsers import Record
from tap_twilio_usage.twilio import billing_form
from tap_twilio_usage.twilio.billing_form import Choice, Form, Parameters, Parts, TokenPlace
from tap_twilio_usage.twilio.client import Client
from tap_twilio_usage.twilio.errors import ApiError, InvalidResponseError
from tap_twilio_usage.twilio.periods import Granularity, Window
from tap_twilio_usage.twilio.transport import Json

Rows = dict[tuple[date, str, str], Record]  # by day, category and name


class Asked(NamedTuple):
    """What is asked for: the periods of a window."""

    granularity: Granularity
    window: Window

    @property
    def parameters(self) -> Parameters:
        """The parameters of the request, without the size of a page."""
        return {
            "startDate": f"{self.window.start}",
            "endDate": f"{self.window.end}",
            "aggregationPeriod": self.granularity.name.upper(),
        }


class NotRequestedError(InvalidResponseError):
    """A row of other `days` than those of the request, or of another period."""

    def __init__(self, message: str, days: Window) -> None:
        """Keep the message and the days."""
        super().__init__(message)
        self.days = days


class Page(NamedTuple):
    """One page: the records as they came, the same as rows, and the token of the next page."""

    records: list[Any]
    rows: list[Record]
    token: str | None


class Group(Protocol):
    """A billing group: its name in logs, where its lists are, and how its records are read."""

    name: str
    path: str
    findings: Findings

    def read(self, answer: Json, records: Sequence[Any], asked: Asked) -> list[Record]:
        """Return the rows of a page. Raises NotRequestedError, InvalidResponseError."""


class Lists:
    """The lists of all billing groups; safe to use from many threads."""

    def __init__(self, client: Client, page_size: int, logger: Logger) -> None:
        """Request nothing yet."""
        self._client = client
        self._page_size = page_size
        self._logger = logger
        self._lock = threading.RLock()  # held while a form is found out
        self._form: Choice[Form] = Choice()
        self._token: Choice[TokenPlace] = Choice()
        self._failures: dict[str, ApiError] = {}

    def rows(self, group: Group, asked: Asked) -> Rows:
        """Return the rows of a list. Raises ApiError."""
        if self._form.chosen is None:
            with self._lock:
                if self._form.chosen is None:
                    return self._rows_in_some_form(group, asked)
        form = self._form.chosen
        return self._read(group, asked, form, self._first(group, asked, form))

    def _rows_in_some_form(self, group: Group, asked: Asked) -> Rows:
        """Return the rows of a list, read in the first form that Twilio understands."""
        if failure := self._failures.get(group.name):
            raise failure
        empty = []
        for form in self._form.untried(billing_form.forms(self._page_size)):
            try:
                first = self._first(group, asked, form)
                more = self._rows_that_prove(group, asked, form, first)
                rows = {**self._read(group, asked, form, first), **more}
            except ApiError as error:
                self._refuse(form, error, group)
                continue
            if rows:
                self._choose(form)
                return rows
            self._form.exclude(billing_form.other_sizes(form, self._page_size))
            empty.append(form)
        if not empty:
            failure = self._failures[group.name] = ApiError(
                f"{group.name}: Twilio takes no form of parameters ({self._form.give_up()}); "
                "report this line"
            )
            raise failure
        if [form.place for form in empty] == [billing_form.Place.JSON]:
            self._choose(*empty)  # the likeliest one, and all others are refused
        return {}

    def _rows_that_prove(self, group: Group, asked: Asked, form: Form, first: Page) -> Rows:
        """Ask for days alone that are not on the first page, and return their rows, if any are new.

        A server that ignores the dates sends the first page again: that is a NotRequestedError.
        One that refuses them has read them, such as days before the group existed.
        """
        listed = [Window(row["start_date"], row["end_date"]) for row in first.rows]
        days = billing_form.unlisted_end(asked.window, listed, asked.granularity)
        if days is None:
            return {}
        others = asked._replace(window=days)
        try:
            page = self._first(group, others, form)
        except ApiError as error:
            if error.status in billing_form.OF_THE_FORM:
                return {}
            raise
        return {} if first.token else self._read(group, others, form, page)

    def _refuse(self, form: Form, error: ApiError, group: Group) -> None:
        """Note that Twilio does not understand a form; raise an error that has another cause."""
        is_ignored = isinstance(error, NotRequestedError)
        if not is_ignored and not billing_form.is_of_the_form(error.status, error.code):
            raise error
        self._form.refuse(form, _answer(error, group))
        self._token = Choice()  # what was found out with this form is not true of another
        if is_ignored or not billing_form.is_of_the_page_size(error.status):
            self._form.exclude(billing_form.other_sizes(form, self._page_size))

    def _choose(self, form: Form) -> None:
        self._form.chosen = form
        self._log()

    def _log(self) -> None:
        if form := self._form.chosen:
            token = self._token.chosen
            self._logger.info(
                "billing groups: Twilio takes the parameters in a %s, pages of up to %s%s",
                form.place.value,
                f"{form.page_size:,}",
                f", and the token of the next page in {token}" if token else "",
            )

    def _first(self, group: Group, asked: Asked, form: Form) -> Page:
        return self._page(group, asked, billing_form.first_page(form, asked.parameters))

    def _read(self, group: Group, asked: Asked, form: Form, first: Page) -> Rows:
        """Return the rows of all pages of a list."""
        limits = self._client.limits
        rows: Rows = {}
        tokens: set[str] = set()
        without = 0  # new rows: pages, one after the other
        page = first
        while True:
            before = len(rows)
            _add(rows, page.rows, group)
            without = without + 1 if len(rows) == before else 0
            if page.token is None:
                return rows
            if page.token in tokens:
                raise InvalidResponseError(
                    f"{group.name}: the paging returns to an earlier page; stopped"
                )
            if without >= limits.pages or len(rows) >= limits.billing_rows:
                raise InvalidResponseError(
                    f"{group.name}: the paging does not end after {len(rows):,} rows, the last "
                    f"{without:,} pages without any; stopped"
                )
            tokens.add(page.token)
            page = self._next(group, asked, form, first, page.token)

    def _next(self, group: Group, asked: Asked, form: Form, first: Page, token: str) -> Page:
        """Return the page of a token."""
        if self._token.chosen is None:
            with self._lock:
                if self._token.chosen is None:
                    return self._next_in_some_place(group, asked, form, first, token)
        return self._page(
            group, asked, billing_form.next_page(form, asked.parameters, token, self._token.chosen)
        )

    def _next_in_some_place(
        self, group: Group, asked: Asked, form: Form, first: Page, token: str
    ) -> Page:
        """Return the page of a token, with the token in the first place that Twilio looks at."""
        end = None
        for place in self._token.untried(billing_form.token_places(form)):
            parts = billing_form.next_page(form, asked.parameters, token, place)
            try:
                page = self._page(group, asked, parts)
            except ApiError as error:
                # Another 404 than that of an unknown group: the page before was found.
                is_ignored = isinstance(error, NotRequestedError)
                if not is_ignored and error.status not in billing_form.OF_THE_FORM:
                    raise
                self._token.refuse(place, _answer(error, group))
                continue
            if page.token == token or (page.token and page.records == first.records != []):
                self._token.refuse(place, "the first page again")
                continue
            if page.rows:
                self._token.chosen = place
                self._log()
            if page.rows or page.token:
                return page
            end = page  # unless there are more rows in answer to another place
        if end is None:
            raise ApiError(
                f"{group.name}: Twilio takes the token of the next page nowhere "
                f"({self._token.give_up()}); report this line"
            )
        return end

    def _page(self, group: Group, asked: Asked, parts: Parts) -> Page:
        query = urlencode(parts.query)
        if parts.json is parts.form is None:
            answer = self._client.get(group.path, query, name=group.name)
        else:
            answer = self._client.post(
                group.path, query, json=parts.json, form=parts.form, name=group.name
            )
        meta, records = answer.get("meta"), billing_form.records(answer)
        if records is None or not isinstance(meta, dict):
            raise InvalidResponseError(f"{group.name} answered without records or meta")
        token = meta.get("nextToken")
        if token is not None and not isinstance(token, str):
            raise InvalidResponseError(f"{group.name}: nextToken is not text")
        if not token and (name := billing_form.other_next(answer)):
            raise InvalidResponseError(
                f"{group.name}: there is another page, but Twilio names it "
                f"{name[: billing_form.SHOWN]!r}, not nextToken of meta"
            )
        return Page(records, group.read(answer, records, asked), token or None)


def _add(rows: Rows, page: list[Record], group: Group) -> None:
    for row in page:
        day, product = row["start_date"], row["product_name"]
        before = rows.setdefault((day, row["product_category"], product), row)
        group.findings.repeated_rows += before is not row
        if before | {"as_of": row["as_of"]} != row:
            raise InvalidResponseError(
                f"{group.name}: Twilio sent two rows with different values for {product!r} on {day}"
            )


def _answer(error: ApiError, group: Group) -> str:
    if isinstance(error, NotRequestedError):
        return f"rows of other days, {error.days}"
    said = f"{error}"
    return said.removeprefix(f"{group.name} answered ")
