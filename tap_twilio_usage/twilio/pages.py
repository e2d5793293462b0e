"""Lists of Twilio's that come in pages, each with a link to the next one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

from tap_twilio_usage.twilio.client import Client
from tap_twilio_usage.twilio.errors import ApiError, InvalidResponseError, NotFound
from tap_twilio_usage.twilio.transport import Decoder, Json

QUERY = re.compile(r"[!-~]{1,4000}")  # of a URL (RFC 3986); parts of it are logged


def fetch_pages(
    client: Client, path: str, params: Mapping[str, str], key: str, decoder: Decoder | None = None
) -> Iterator[list[Any]]:
    """Yield the list under `key` of each page, following `next_page_uri` to the last page.

    Only the query of that link is used, on the client's own URL, after a check that the link names
    the same list: credentials are sent nowhere else.
    Raises ApiError, as `Client.get` does, and if the links do not lead to an end.
    """
    query = urlencode(params)
    seen = {query}
    while True:
        page = _fetch(client, path, query, decoder, is_first=len(seen) == 1)
        rows = page.get(key)
        if not isinstance(rows, list):
            raise InvalidResponseError(f"{path} answered without a list of {key}")
        if "next_page_uri" not in page:  # null on the last page; without it, the end is unknown
            raise InvalidResponseError(f"{path} answered without next_page_uri")
        yield rows
        link = page["next_page_uri"]
        if link is None:
            return
        query = _query(client.base_url, path, link)
        if query in seen:
            raise InvalidResponseError(f"{path}: the paging returns to an earlier page; stopped")
        if len(seen) >= client.limits.pages:
            raise InvalidResponseError(
                f"{path}: the paging does not end after {client.limits.pages:,} pages; stopped"
            )
        seen.add(query)


def _fetch(
    client: Client, path: str, query: str, decoder: Decoder | None, *, is_first: bool
) -> Json:
    try:
        return client.get(path, query, decoder=decoder)
    except NotFound as error:
        if is_first:
            raise
        # Not "no data": the pages before had some.
        raise ApiError(f"a page after the first is missing: {error}") from None


def _query(base_url: str, path: str, link: object) -> str:
    """Return the query of a link to the next page; raise if it is not a link to the same list."""
    own = urlsplit(base_url)
    try:
        url = urlsplit(link if isinstance(link, str) and "\\" not in link else "//")
        is_same_host = not url.netloc or _origin(url) == _origin(own)
    except ValueError:
        is_same_host = False
    # Without case: links may have another one in the account's SID.
    paths = {(prefix + path).removesuffix(".json").lower() for prefix in ("", own.path)}
    is_same_list = is_same_host and url.path.removesuffix(".json").lower() in paths
    if not is_same_list or not QUERY.fullmatch(url.query):
        raise InvalidResponseError(
            f"{path}: next_page_uri does not lead to the next page of the same list; not followed"
        )
    return url.query


def _origin(url: SplitResult) -> tuple[object, ...]:
    port = url.port or {"https": 443, "http": 80}.get(url.scheme)
    return url.scheme, url.hostname, port, url.username
