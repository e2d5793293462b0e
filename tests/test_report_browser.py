"""The page in a browser: nothing is cut, it says what it shows, and it needs no network."""

from __future__ import annotations

import csv
import itertools
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tap_twilio_usage.report import wording
from tests.chromium import chromium
from tests.conftest import ROOT, nightly
from tests.reports import duckdb_of, written
from tests.test_report_page import ACCOUNTS, BUILT, SHOP, build, company, owned

ZERO = Decimal(0)
STYLE = ROOT / "tap_twilio_usage" / "report" / "templates" / "page.css"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of a company that spends nine digits a month, without the dot."""
    folder = tmp_path_factory.mktemp("report")
    rows = [
        row._replace(
            price=(row.price or ZERO) * 100_000, deduplicated=(row.deduplicated or ZERO) * 100_000
        )
        for row in company()
    ]
    url = duckdb_of(rows, folder / "w.duckdb", accounts=ACCOUNTS)
    (month, *others) = BUILT["budget_status"]
    budget = [(*month[:7], "900000000", *["987654321.12"] * 4, *month[12:]), *others]
    build(folder / "w.duckdb", allocated_cost=owned(rows), budget_status=budget)
    written(url, folder, "--csv", str(folder))
    return folder / "report.html"


def opened(browser: Browser, file: Path, **options: Any) -> tuple[Page, list[str]]:
    """Open the page without a network; return it with its console messages and requests."""
    context = browser.new_context(offline=True, **options)
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: said.append(request.url))
    page.goto(file.as_uri())
    return page, said


WIDER = """() => [...document.querySelectorAll("body *")].filter(e =>
  !e.closest(".scroll, .of-what") && e.getBoundingClientRect().right > innerWidth + 1
).map(e => e.outerHTML)"""
# What sticks out of its card or chart, and labels that touch another one or do not fit.
CUT = """() => {
  const out = (inner, outer) => {
    const [a, b] = [inner.getBoundingClientRect(), outer.getBoundingClientRect()];
    return a.width > 0 && (a.left < b.left - 1 || a.right > b.right + 1);
  };
  const cut = [...document.querySelectorAll(".card *, .chart span, .legend li, .alarm *")]
    .filter(e => out(e, e.closest(".card, .box, .alarm")));
  for (const axis of document.querySelectorAll(".xs, .ys")) {
    const boxes = [...axis.children].map(e => e.getBoundingClientRect()).filter(b => b.width > 0);
    boxes.forEach((a, at) => boxes.slice(at + 1).forEach(b => {
      const beside = a.left >= b.right || b.left >= a.right;
      const above = a.top >= b.bottom || b.top >= a.bottom;
      if (!beside && !above) cut.push(axis);
    }));
  }
  const small = [...document.querySelectorAll(".big")].filter(e => e.scrollWidth > e.clientWidth);
  return [...cut, ...small].map(e => e.outerHTML);
}"""


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        *[(1280, "light"), (400, "dark")],
        *[
            nightly(1100, "light"),
            nightly(1280, "dark"),
            nightly(400, "light"),
            nightly(320, "light"),
        ],
    ],
)
def test_nothing_is_cut_or_asks_the_network(
    browser: Browser, file: Path, width: int, scheme: Any
) -> None:
    page, said = opened(
        browser, file, viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    assert said == [file.as_uri()]
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    assert page.evaluate(WIDER) == []
    assert page.evaluate(CUT) == []
    assert re.fullmatch(r"\$\d{3},\d{3},\d{3}\.\d\d", page.locator(".big").first.inner_text())
    for chart in page.locator(".chart").all():
        box = chart.locator("svg").bounding_box()
        assert box is not None
        assert width * 0.6 < box["width"] < width
        assert chart.locator("path[class^=s]").count() > 0
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (luminance(background) < 0.05) == (scheme == "dark")
    scrolling = page.locator(".wider > .says:visible").count()
    wide = page.evaluate(
        "[...document.querySelectorAll('.scroll')]"
        ".filter(e => e.scrollWidth > e.clientWidth + 1).length"
    )
    assert scrolling == wide
    assert wide > 0 or width > 1000


@pytest.mark.parametrize("scheme", ["light", nightly("dark")])
def test_axe_finds_nothing_serious(browser: Browser, file: Path, scheme: Any) -> None:
    page, _ = opened(browser, file, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    found = Axe().run(page).response["violations"]
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    assert [(each["id"], each["nodes"][0]["html"]) for each in serious] == []


def test_print_is_light_and_whole(browser: Browser, file: Path) -> None:
    page, _ = opened(browser, file, viewport={"width": 720, "height": 1000}, color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    ink = page.evaluate("getComputedStyle(document.body).color")
    assert luminance(ink) < 0.1
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == (
        "rgb(255, 255, 255)"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 720
    assert page.evaluate(CUT) == []
    assert page.locator("nav:visible, .csv:visible, .filter:visible").count() == 0
    assert page.locator(".legend:visible").count() == page.locator(".legend").count() > 0
    for chart in page.locator(".chart").all():
        assert chart.evaluate("e => getComputedStyle(e).breakInside") == "avoid"
        path = chart.locator("path[class^=s]").first
        assert path.evaluate("e => getComputedStyle(e).printColorAdjust") == "exact"


def test_without_javascript_the_tables_are_there(browser: Browser, file: Path) -> None:
    page, _ = opened(browser, file, java_script_enabled=False)
    assert page.locator(".chart:visible").count() == page.locator(".chart").count() > 2
    for name in ("services", "accounts", "owners", "categories", "movers", "proof"):
        expect(page.locator(f"table[data-name={name}]")).to_be_visible()
    assert page.locator(".explorer:visible, .csv:visible, thead button").count() == 0
    page.set_viewport_size({"width": 400, "height": 900})
    assert page.locator(".says:visible").count() > 5


def chosen(page: Page) -> str:
    return page.locator(".found").get_attribute("title") or ""


def test_the_filter_adds_up_exactly_without_a_network(browser: Browser, file: Path) -> None:
    page, said = opened(browser, file)
    rows = company()

    def spent(**wanted: str) -> str:
        found = [
            row.deduplicated or ZERO
            for row in rows
            if all(getattr(row, name) == value for name, value in wanted.items())
        ]
        return wording.exact(sum(found, ZERO) * 100_000)

    assert chosen(page) == spent()
    page.locator(".whom").select_option("Shop")
    assert chosen(page) == spent(account=SHOP)
    page.locator(".whom").select_option("Retail")  # the owner of the shop
    assert chosen(page) == spent(account=SHOP)
    page.locator(".what").select_option("Voice")
    assert chosen(page) == spent(account=SHOP, service="Voice")
    page.locator(".what").select_option("support")
    assert chosen(page) == spent(account=SHOP, category="support")
    expect(page.locator(".found")).to_contain_text("Retail, support: $")
    expect(page.locator("table[data-name=choice] tbody tr")).to_have_count(3)
    label = page.locator(".here .chart").get_attribute("aria-label") or ""
    assert label.startswith("Bar chart of Retail, support: $")
    assert said == [file.as_uri()]


def test_a_table_is_sorted_and_downloaded(browser: Browser, file: Path) -> None:
    page, _ = opened(browser, file)
    table = page.locator("table[data-name=categories]")
    heading = table.get_by_role("button", name="Sum")
    heading.click()
    heading.click()
    column = table.locator("thead th").count() - 1
    cells = table.locator(f"tbody tr td:nth-child({column})").all()
    sums = [float(cell.get_attribute("title") or "") for cell in cells]
    assert sums == sorted(sums)
    assert heading.locator("..").get_attribute("aria-sort") == "ascending"
    heading.click()
    with page.expect_download() as download:
        table.locator("xpath=ancestor::*[@class='table wider' or @class='table']").locator(
            ".csv"
        ).click()
    assert download.value.suggested_filename == "categories.csv"
    head, *found = csv.reader(download.value.path().read_text().splitlines())
    _, *exact = csv.reader((file.parent / "categories.csv").read_text().splitlines())
    assert head[:2] == ["Category", "Service"]
    assert sorted(row[:-1] for row in found[:-1]) == sorted(row[:-1] for row in exact)


def test_the_unfinished_day_is_pale_and_unusual_days_are_marked(
    browser: Browser, file: Path
) -> None:
    page, _ = opened(browser, file)
    chart = page.locator(".chart").first
    assert chart.locator("path.faded").first.evaluate("e => getComputedStyle(e).opacity") == "0.38"
    marks = chart.locator("span.mark")
    assert marks.count() == 2
    assert "Shop: $40.00 instead of $2.50" in (marks.last.get_attribute("title") or "")
    last = chart.locator(".hover title").last.text_content() or ""
    assert last.startswith("Sat 21 Mar 2026, unfinished: $")


def linear(channels: list[float]) -> list[float]:
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]


def luminance(colour: str) -> float:
    light = linear([int(part) / 255 for part in re.findall(r"\d+", colour)[:3]])
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), light, strict=True))


# Simulated colour vision (Machado, Oliveira and Fernandes 2009), on linear red, green and blue.
SIGHTS = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no red": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "no green": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "no blue": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def seen(colour: str, sight: str) -> tuple[float, float, float]:
    """Return a colour in CIELAB, where distances match perceived differences."""
    light = linear([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    r, g, b = (
        min(1.0, max(0.0, sum(w * c for w, c in zip(row, light, strict=True))))
        for row in SIGHTS[sight]
    )
    x = (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    z = (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("sight", SIGHTS)
def test_service_colours_are_distinguishable_with_any_colour_vision(sight: str) -> None:
    light, dark = STYLE.read_text().split("(prefers-color-scheme: dark)")
    for style in (light, dark):
        colours = re.findall(r"--s\d: (#\w{6})", style)
        assert len(colours) == 7
        near = [
            (one, other)
            for one, other in itertools.combinations(colours, 2)
            if math.dist(seen(one, sight), seen(other, sight)) < 12
        ]
        assert not near
