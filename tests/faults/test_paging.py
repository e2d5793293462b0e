"""Cases 13 to 17: wrong links, cycles and empty pages, and duplicate rows."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

import pytest

from sandbox import MAIN_SID, Reply, Request, Server
from tests.conftest import Run, nightly_except
from tests.faults.conftest import (
    BILLING,
    DATED_BY_DAY,
    LISTS,
    PAGED,
    SPEED,
    STREAMS,
    TYPICAL,
    Fault,
    Lab,
    changed,
    is_of,
    of,
    of_streams,
    rows_of,
    spread,
    table,
    warned,
)
from tests.forked import Overrides
from tests.http_server import Answer, serve

Link = Callable[[str], str]


def relinked(link: Link) -> Fault:
    """Return a fault that changes the link to the next page, if there is one."""

    def change(page: dict[str, Any]) -> None:
        if page.get("next_page_uri"):
            page["next_page_uri"] = link(page["next_page_uri"])

    return changed(change)


# 13: other forms of the same link.

SAME: dict[str, Callable[[str], Link]] = {
    "relative": lambda _: lambda uri: uri,
    "absolute": lambda url: lambda uri: url + uri,
    "without .json": lambda _: lambda uri: uri.replace(".json", ""),
    "absolute, without .json": lambda url: lambda uri: url + uri.replace(".json", ""),
    "with another case of the host": lambda url: lambda uri: url.replace("http", "HTTP") + uri,
}


@pytest.mark.parametrize("way", nightly_except(SAME.keys() - {"absolute", "without .json"}, SAME))
def test_every_form_of_a_link_is_followed(lab: Lab, healthy: Run, way: str) -> None:
    with Server(lab.company) as server:
        server.plan = lambda _: relinked(SAME[way](server.url))
        run = lab.run(server.url, page_size=50)
    assert run.code == 0
    assert table(run) == table(healthy)
    assert len([r for r in server.requests if "Page" in r.query]) > 10


# 14: links to another host or resource.

ELSEWHERE: dict[str, Callable[[str, str], Link]] = {
    "another host": lambda _, evil: lambda uri: evil + uri,
    "another name of the host": lambda own, _: (
        lambda uri: own.replace("127.0.0.1", "localhost") + uri
    ),
    "two slashes": lambda _, evil: lambda uri: f"//{urlsplit(evil).netloc}{uri}",
    "another account": lambda *_: lambda uri: uri.replace(MAIN_SID, "AC" + "f" * 32),
    "another port": lambda own, _: lambda uri: f"{own[:-1]}{int(own[-1]) ^ 1}{uri}",
    "another scheme": lambda own, _: lambda uri: own.replace("http:", "https:") + uri,
    "userinfo": lambda own, _: lambda uri: own.replace("://", "://me:pass@") + uri,
    "a host that begins alike": lambda own, evil: lambda uri: f"{own}@{urlsplit(evil).netloc}{uri}",
    "backslashes": lambda _, evil: lambda uri: f"\\\\{urlsplit(evil).netloc}{uri}",
    "a backslash": lambda own, evil: lambda uri: f"{own}\\@{urlsplit(evil).netloc}{uri}",
    "a backslash in the query": lambda *_: lambda uri: f"{uri}\\",
    "a folder above": lambda *_: lambda uri: f"/2010-04-01/..{uri}",
    "another resource": lambda *_: lambda uri: uri.replace("?", "/Other?"),
    "no URL": lambda *_: lambda _: "http://[",
}


@pytest.mark.parametrize(
    ("stream", "way"),
    # The path of `accounts` has no account.
    spread(PAGED, ELSEWHERE, lambda *pair: pair != ("accounts", "another account")),
)
def test_a_link_to_another_resource_is_not_followed(lab: Lab, stream: str, way: str) -> None:
    with serve(lambda _: Answer.json({})) as evil, Server(lab.company) as server:
        link = ELSEWHERE[way](server.url, evil.url)

        def change(page: dict[str, Any]) -> None:
            uri = page["uri"].replace("Page=0", "Page=1&PageToken=PA1")
            page["next_page_uri"] = link(uri)

        server.plan = of(stream, changed(change))
        run = lab.run(server.url, stream)
        following = [request for request in server.requests if is_following(request)]
    assert run.code == 1
    assert ": next_page_uri does not lead to the next page of the same list; " in run.last_line
    assert (evil.requests, following) == ([], [])
    assert "me:pass" not in run.log
    assert stream in LISTS or table(run) == {}  # lists emit the first page


# 15: endless paging.

ENDLESS: dict[str, Callable[[int], str]] = {
    "the same": lambda _: "0",
    "in a circle": lambda number: f"{number % 3}",
    "ever new": lambda number: f"{number}",
}


@pytest.mark.parametrize(("stream", "way"), spread([*PAGED, *BILLING], ENDLESS))
def test_endless_paging_is_detected(lab: Lab, stream: str, way: str) -> None:
    """Each page is the first one with another link."""
    replies: list[Reply] = []

    def fault(reply: Reply) -> Reply:
        replies.append(reply)
        page = json.loads(replies[0].content)
        link_to(ENDLESS[way](len(replies)), page)
        return Reply(200, {}, json.dumps(page).encode())

    few = Overrides(SPEED, {"pages": 20})
    run = lab.with_faults(of(stream, fault), stream, overrides=few, max_concurrent_requests=1)
    assert run.code == 1
    ends = r": the paging (returns to an earlier|does not end after 20) pages?"
    # The first page in answer to other days is not what a billing group was asked for.
    assert re.search(f"{ends}|: the first page again|: rows of other days", run.log)
    assert len(replies) <= 2 * 21  # there are two billing groups
    assert stream in LISTS or table(run) == {}  # lists emit the first page


def link_to(token: str, page: Any) -> None:
    """Add a link to a page that the sandbox does not have."""
    if "meta" in page:
        page["meta"]["nextToken"] = token
    else:
        page["next_page_uri"] = urlsplit(page["uri"]).path + f"?Again={token}"


# 16: pages without rows.


def test_an_empty_page_with_a_link_does_not_end_the_paging(lab: Lab, healthy: Run) -> None:
    """There is an empty page before each page."""
    pages: dict[str, Reply] = {}
    numbers = itertools.count(1)

    def plan(request: Request) -> Fault | None:
        token = request.query.get("Again") or request.query.get("pageToken")
        if token in pages:
            return lambda _: pages.pop(token)
        if not any(is_of(stream, request) for stream in (*PAGED, *BILLING)):
            return None

        def fault(reply: Reply) -> Reply:
            token = f"{next(numbers)}"
            pages[token] = reply
            page = json.loads(reply.content)
            rows_of(page).clear()
            link_to(token, page)
            return reply._replace(content=json.dumps(page).encode())

        return fault

    run = lab.with_faults(plan)
    assert run.code == 0
    assert next(numbers) > len(STREAMS)
    assert pages == {}
    assert table(run) == table(healthy)


def test_a_run_without_rows_succeeds_and_writes_a_state(lab: Lab) -> None:
    run = lab.with_faults(lambda _: changed(lambda page: rows_of(page).clear()))
    assert run.code == 0
    assert run.states
    # From the shipped table, and one that is no list.
    assert {key[0] for key in table(run)} == {"categories", "balance"}


@pytest.mark.parametrize("stream", DATED_BY_DAY)
def test_a_load_without_any_row_is_said_and_asked_for_again(
    lab: Lab, healthy: Run, stream: str
) -> None:
    run = lab.with_faults(lambda _: changed(lambda page: rows_of(page).clear()), stream)
    assert run.code == 0
    assert table(run) == {}
    assert "; every run asks again" in warned(run) or "; the next run asks again" in warned(run)
    again = lab.with_faults(lambda _: None, stream, state=run.states[-1])
    assert table(again) == {key: row for key, row in table(healthy).items() if key[0] == stream}


# 17: duplicate rows.


def test_duplicate_rows_of_all_streams_are_emitted_once(lab: Lab, healthy: Run) -> None:
    run = lab.with_faults(lambda _: changed(lambda page: rows_of(page).extend(rows_of(page)[:3])))
    assert run.code == 0
    assert table(run) == table(healthy)
    assert has_no_duplicates(run)
    assert run.log.count(" duplicate row") >= len(STREAMS) - 1


@pytest.mark.parametrize("stream", sorted(TYPICAL))
def test_duplicate_rows_are_counted_in_the_log(lab: Lab, stream: str) -> None:
    again: list[Any] = []

    def change(page: Any) -> None:
        rows = rows_of(page)
        again.extend(rows[:3])
        rows.extend(rows[:3])

    run = lab.with_faults(of(stream, changed(change)), stream)
    counts = re.findall(r" (\d+) duplicate rows? skipped", run.log)
    assert run.code == 0
    # The rows of one request are not loaded: it shows whether Twilio looks at the dates.
    spare = 3 if stream in BILLING else 0
    assert 0 < len(again) - spare <= sum(map(int, counts)) <= len(again)


def test_a_warning_names_only_the_stream_that_it_concerns(lab: Lab) -> None:
    def change(page: Any) -> None:
        rows = rows_of(page)
        rows[0]["surprise"] = 1
        rows.append(rows[0])

    streams = ("usage_records_daily", "usage_records_monthly", "usage_records_today")
    run = lab.with_faults(of("usage_records_daily", changed(change)), *streams)
    assert run.code == 0
    assert run.log.count(" duplicate row") == 1
    assert run.log.count(" is new to this version; it is not loaded") == 1


@pytest.mark.parametrize(("streams", "page_size"), [(STREAMS, 50), (LISTS, 2)])
def test_rows_that_move_to_the_next_page_are_emitted_once(
    lab: Lab, healthy: Run, streams: Iterable[str], page_size: int
) -> None:
    """If a row is added while pages are read, the last row of a page moves to the next one."""
    last: dict[str, Any] = {}

    def plan(request: Request) -> Fault:
        asked = {name: text for name, text in request.query.items() if "age" not in name}
        key = f"{request.path} {asked}"

        def change(page: Any) -> None:
            rows = rows_of(page)
            if is_following(request):
                rows.insert(0, last[key])
            if rows:
                last[key] = rows[-1]

        return changed(change)

    run = lab.with_faults(plan, *streams, page_size=page_size)
    assert run.code == 0
    assert table(run) == of_streams(healthy, *streams)
    assert has_no_duplicates(run)
    assert " duplicate row" in run.log


def is_following(request: Request) -> bool:
    return "Page" in request.query or "pageToken" in request.query


def has_no_duplicates(run: Run) -> bool:
    return len([m for m in run.messages if m["type"] == "RECORD"]) == len(table(run))
