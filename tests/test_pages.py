"""Lists in pages: which links to the next page are followed, and where paging ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tap_twilio_usage.twilio.errors import ApiError, NotFound
from tap_twilio_usage.twilio.pages import fetch_pages
from tests.clients import FAST, client
from tests.http_server import Answer, Request, serve


def numbered(link_to: Callable[[str, int], object], pages: int = 3) -> Callable[[Request], Answer]:
    """Answer with numbered pages; `link_to` returns the link to a page of a host."""

    def answer(request: Request) -> Answer:
        number = int(request.query.get("Page", 0))
        link = link_to(request.headers["Host"], number + 1) if number + 1 < pages else None
        return Answer.json({"rows": [number] if number != 1 else [], "next_page_uri": link})

    return answer


SAME_LIST = {
    "relative": lambda _, n: f"/a/x.json?Page={n}&PageToken=PA%2Fq%3D",
    "absolute on the same host": lambda host, n: f"http://{host}/a/x.json?Page={n}",
    "without .json": lambda _, n: f"/a/x?Page={n}",
}
ELSEWHERE = {
    "another host": lambda host, n: f"http://evil.example:{host.split(':')[1]}/a/x.json?Page={n}",
    "another port": lambda _, n: f"http://127.0.0.1:1/a/x.json?Page={n}",
    "another scheme": lambda host, n: f"ftp://{host}/a/x.json?Page={n}",
    "with userinfo": lambda host, n: f"http://me:secret@{host}/a/x.json?Page={n}",
    "no scheme": lambda _, n: f"//evil.example/a/x.json?Page={n}",
    "backslashes": lambda _, n: f"\\\\evil.example\\a/x.json?Page={n}",
    "another path": lambda _, n: f"/b/x.json?Page={n}",
    "a path with ..": lambda _, n: f"/a/../b/x.json?Page={n}",
    "no query": lambda _, __: "/a/x.json",
    "not a URL": lambda _, __: "http://[",
    "not text": lambda _, n: n,
}


@pytest.mark.parametrize("link", SAME_LIST.values(), ids=SAME_LIST.keys())
def test_a_link_to_the_same_list_is_followed(link: Callable[[str, int], object]) -> None:
    with serve(numbered(link)) as server:
        pages = list(fetch_pages(client(server.url), "/a/x.json", {"PageSize": "1"}, "rows"))
    assert pages == [["0"], [], ["2"]]  # an empty page with a link is not the last one


@pytest.mark.parametrize("link", ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_any_other_link_is_an_error_and_not_followed(link: Callable[[str, int], object]) -> None:
    with serve(numbered(link)) as server:
        with pytest.raises(ApiError, match="does not lead to the next page") as caught:
            list(fetch_pages(client(server.url), "/a/x.json", {}, "rows"))
        assert len(server.requests) == 1
    assert "secret" not in str(caught.value)


def test_links_of_an_api_behind_a_base_path_are_followed() -> None:
    with serve(numbered(lambda _, n: f"/base/x.json?Page={n}")) as server:
        pages = fetch_pages(client(server.url + "/base"), "/x.json", {}, "rows")
        assert list(pages) == [["0"], [], ["2"]]
        assert {request.path for request in server.requests} == {"/base/x.json"}


def test_a_link_back_to_an_earlier_page_is_an_error() -> None:
    circle = numbered(lambda _, n: f"/x?Page={n % 2 + 1}", pages=9)
    with serve(circle) as server, pytest.raises(ApiError, match="returns to an earlier page"):
        list(fetch_pages(client(server.url), "/x", {}, "rows"))


def test_a_list_with_too_many_pages_is_an_error() -> None:
    endless = numbered(lambda _, n: f"/x?Page={n}", pages=10**9)
    with serve(endless) as server:
        twilio = client(server.url, limits=replace(FAST, pages=20))
        with pytest.raises(ApiError, match="the paging does not end after 20 pages"):
            list(fetch_pages(twilio, "/x", {}, "rows"))
        assert len(server.requests) == 20


def test_a_404_after_the_first_page_is_an_error_and_does_not_mean_no_data() -> None:
    def answer(request: Request) -> Answer:
        if "Page" in request.query:
            return Answer.error(404, 20404)
        return numbered(lambda _, n: f"/x?Page={n}")(request)

    with serve(answer) as server:
        with pytest.raises(ApiError, match="a page after the first is missing") as caught:
            list(fetch_pages(client(server.url), "/x", {}, "rows"))
        assert not isinstance(caught.value, NotFound)


@pytest.mark.parametrize("page", [{}, {"records": []}, {"rows": None}, {"rows": {}}])
def test_a_page_without_its_list_is_an_error(page: object) -> None:
    says = "/x answered without a list of rows"
    with serve(lambda _: Answer.json(page)) as server, pytest.raises(ApiError, match=says):
        list(fetch_pages(client(server.url), "/x", {}, "rows"))


def test_a_page_without_next_page_uri_is_an_error() -> None:
    says = "/x answered without next_page_uri"
    with serve(lambda _: Answer.json({"rows": []})) as server, pytest.raises(ApiError, match=says):
        list(fetch_pages(client(server.url), "/x", {}, "rows"))
