"""The forms in which Twilio may take requests to the Usage API v2, of which it documents none.

The form that is most likely is tried first, another one only if Twilio's answer shows that it did
not understand that. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, Generic, NamedTuple, TypeVar

from tap_twilio_usage.twilio.periods import DAY, Granularity, Window

Parameters = dict[str, Any]

SMALL_PAGE = 100  # the most that some of Twilio's APIs accept
TOKEN, SIZE = "pageToken", "pageSize"

# Statuses with which a server may refuse the form of a request rather than what it asks for.
OF_THE_FORM = {400, 404, 405, 406, 411, 413, 415, 422}
NO_SUCH_GROUP = "20404"
OF_THE_GROUP = "71"  # begins the codes of a group that cannot be read by this API

# Names that may stand for another page: next_page_url, nextPageToken, next, hasMore.
NEXT = re.compile(r"next(_?(page|token|link|ur[il]|cursor).*)?|has_?(more|next).*", re.IGNORECASE)

SHOWN = 50  # characters of an answer
T = TypeVar("T")


class Place(Enum):
    """Where a POST has its parameters."""

    JSON = "JSON body"
    FORM = "form"
    QUERY = "query"


class Form(NamedTuple):
    """How a list is requested."""

    place: Place
    page_size: int

    def __str__(self) -> str:
        """Return it as errors show it, which name several."""
        small = " with 100 a page" if self.page_size == SMALL_PAGE else ""
        return self.place.value + small


class TokenPlace(Enum):
    """Where the token of the next page goes: a GET has all parameters in its query."""

    BODY = "the body"
    QUERY = "the query"
    GET = "a GET"

    def __str__(self) -> str:
        """Return it as logs show it."""
        return self.value


class Parts(NamedTuple):
    """The parts of a request; without `json` and `form` it is a GET."""

    query: Parameters
    json: Parameters | None = None
    form: Parameters | None = None


def forms(page_size: int) -> list[Form]:
    """Return the forms of a list, the likeliest first."""
    sizes = [page_size, SMALL_PAGE] if page_size > SMALL_PAGE else [page_size]
    return [Form(place, size) for place in Place for size in sizes]


def other_sizes(form: Form, page_size: int) -> list[Form]:
    """Return the forms that differ from this one in the size of a page."""
    return [each for each in forms(page_size) if each.place is form.place and each != form]


def token_places(form: Form) -> list[TokenPlace]:
    """Return the places of a token, the likeliest first: where the other parameters are."""
    first = TokenPlace.QUERY if form.place is Place.QUERY else TokenPlace.BODY
    return sorted(TokenPlace, key=lambda place: place is not first)


def first_page(form: Form, parameters: Parameters) -> Parts:
    """Return the request of a list."""
    asked = {**parameters, SIZE: form.page_size}
    if form.place is Place.JSON:
        return Parts({}, json=asked)
    if form.place is Place.FORM:
        return Parts({}, form=asked)
    return Parts(asked, form={})


def next_page(form: Form, parameters: Parameters, token: str, place: TokenPlace) -> Parts:
    """Return the request of the page that the token stands for."""
    query, json, fields = first_page(form, parameters)
    sent: Parameters = {TOKEN: token}
    if place is TokenPlace.GET:
        return Parts({**query, **(json or {}), **(fields or {}), **sent})
    if place is TokenPlace.QUERY:
        return Parts({**query, SIZE: form.page_size, **sent}, json, fields)
    if form.place is Place.FORM:
        return Parts(query, form={**(fields or {}), **sent})
    return Parts(query, json={**(json or {}), **sent})


def is_of_the_form(status: int | None, code: str | None) -> bool:
    """Return whether an error may be due to the form of the request of a list."""
    return (
        status in OF_THE_FORM
        and code != NO_SUCH_GROUP
        and not (code or "").startswith(OF_THE_GROUP)
    )


def is_of_the_page_size(status: int | None) -> bool:
    """Return whether such an error may be due to the size of a page."""
    return status in {400, 413, 422}


def unlisted_end(
    window: Window, listed: Iterable[Window], granularity: Granularity
) -> Window | None:
    """Return the days before the first listed period, or else those after the last one.

    None if both ends of the window are listed, or nothing is.

    A server that ignores the parameters and sends what it would send without any may send rows of
    the window: it would send them also for these days alone.
    """
    days = sorted(listed)
    if not days:
        return None
    if granularity.first(window.start) < granularity.first(days[0].start):
        return Window(window.start, granularity.first(days[0].start) - DAY)
    following = granularity.following(days[-1].start)
    return Window(following, window.end) if following <= window.end else None


def records(page: Mapping[str, Any]) -> list[Any] | None:
    """Return the records of a page; None if it has no array of them.

    Twilio documents the array `records`. Elsewhere, `meta.key` is the name of the array.
    """
    meta = page.get("meta")
    key = meta.get("key") if isinstance(meta, dict) else None
    named = [page.get(name) for name in ("records", key) if isinstance(name, str)]
    arrays = [each for each in named if isinstance(each, list)]
    return next(filter(None, arrays), arrays[0] if arrays else None)


def other_next(page: Mapping[str, Any]) -> str | None:
    """Return the name by which a page without `nextToken` says that there is another; or None.

    Twilio documents `nextToken` in `meta`. Its other APIs have `next_page_url` and the like.
    """
    nested = [each for each in page.values() if isinstance(each, dict)]
    nested += [each for found in nested for each in found.values() if isinstance(each, dict)]
    return next(
        (
            name
            for each in (page, *nested)
            for name, value in each.items()
            if NEXT.fullmatch(name) and value and f"{value}".lower() not in {"false", "0"}
        ),
        None,
    )


class Choice(Generic[T]):
    """Which of several forms Twilio takes, found by trying one after the other."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._answers: dict[T, str] = {}
        self._excluded: set[T] = set()
        self.chosen: T | None = None

    def untried(self, candidates: Iterable[T]) -> Iterator[T]:
        """Yield the candidates that are left at that moment."""
        return (each for each in candidates if each not in {*self._answers, *self._excluded})

    def refuse(self, tried: T, answer: str) -> None:
        """Note the answer of a server that did not understand what was tried."""
        self._answers[tried] = answer

    def exclude(self, others: Iterable[T]) -> None:
        """Leave out what another one has shown to be of no use."""
        self._excluded.update(others)

    def give_up(self) -> str:
        """Return what was tried, by answer, in a short line; begin again."""
        tried: dict[str, list[str]] = {}
        for what, answer in self._answers.items():
            tried.setdefault(answer.partition(", http")[0][:SHOWN], []).append(f"{what}")
        self._answers, self._excluded = {}, set()
        return "; ".join(f"{', '.join(names)}: {answer}" for answer, names in tried.items())
