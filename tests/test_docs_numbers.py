"""The figures, pictures and comparisons in docs/ are those that the code computes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from tap_twilio_usage.money.dedup import MOST_CANDIDATES_FOR_SETS, deduplicate, rounding
from tap_twilio_usage.money.hierarchy import TOTAL, shipped
from tests.conftest import ROOT, blocks, clean_environment

DOCS = ROOT / "docs"
PAGE = (DOCS / "deduplication.md").read_text()
REAL = {
    name: {category: Decimal(text) for category, text in texts.items() if Decimal(text)}
    for name, texts in json.loads((ROOT / "tests" / "real_accounts.json").read_text()).items()
}
VOICE, A2P, LONG = REAL["voice_and_verify"], REAL["a2p"], REAL["long_history"]
# No total is published of this one: messages plus templates, as the page says.
WHATSAPP = {**REAL["whatsapp"], TOTAL: Decimal("58.68") + Decimal("104.7075")}
COMMON = [
    "calls",
    "sms",
    "pfax-minutes",
    "pfax-pages",
    "phonenumbers",
    "recordings",
    "transcriptions",
    "pv",
]
NUMBERS = {3: "three", 8: "eight"}
WHOLE_TABLE = shipped()
CONTAINERS = WHOLE_TABLE.containers(())
LOWEST = [c for c in WHOLE_TABLE.categories if WHOLE_TABLE.role(c, CONTAINERS) == "leaf"]
TOP = [c for c in WHOLE_TABLE.categories if WHOLE_TABLE.parent(c) == TOTAL]

Day = Mapping[str, Decimal]


def table(head: str) -> list[list[str]]:
    """Return the cells of the tables with this head, without backticks."""
    tables = re.findall(rf"(?m)^\| {re.escape(head)} \|\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE)
    assert tables
    rows = [row for rows in tables for row in rows.splitlines()]
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in rows]


def every_row(day: Day, kept: Collection[str] | None = None) -> Decimal:
    rows = {c: price for c, price in day.items() if c != TOTAL}
    return sum((price for c, price in rows.items() if kept is None or c in kept), Decimal(0))


def counted(day: Day) -> dict[str, Decimal]:
    shares = deduplicate(day)
    return {c: share.deduplicated_price or Decimal(0) for c, share in shares.items()}


def parent(category: str, day: Day) -> str:
    above = WHOLE_TABLE.parent(category) or TOTAL
    return above if above in day else parent(above, day)


def test_the_tree_in_the_table_is_the_tap_s() -> None:
    rows = table("category | parent | price | `dedup_role` | `deduplicated_price`")
    shares = deduplicate(VOICE)
    assert {category for category, *_ in rows} == VOICE.keys()
    for category, above, price, role, counts in rows:
        assert above == ("" if category == TOTAL else parent(category, VOICE))
        assert Decimal(price) == VOICE[category]
        assert (role, Decimal(counts)) == shares[category]


def test_the_remainders_in_the_table_are_the_tap_s() -> None:
    rows = table("category | price | `dedup_role` | `deduplicated_price`")
    assert {c: Decimal(price) for c, price, *_ in rows} == LONG
    shares = {c: (role, Decimal(counts)) for c, _, role, counts in rows}
    assert shares == deduplicate(LONG)


def test_the_days_that_hold_more_than_their_total_end_as_the_table_says() -> None:
    rows = table("category | price | counts | price | counts")
    for column in (1, 3):
        cells = [(row[0], row[column], row[column + 1]) for row in rows if row[column]]
        day = {category: Decimal(price) for category, price, _ in cells}
        assert counted(day) == {category: Decimal(counts) for category, _, counts in cells}
    unknown = {row[0] for row in rows} - WHOLE_TABLE.categories.keys()
    assert unknown == {"communications", "quantum"}


def test_the_day_with_two_equal_rows_ends_as_the_table_says() -> None:
    rows = table("category | price | count | usage | counts")
    shares = deduplicate(
        {category: Decimal(price) for category, price, *_ in rows},
        quantities=lambda: {
            category: (Decimal(count), Decimal(usage))
            for category, _, count, usage, _ in rows
            if count
        },
    )
    assert {c: share.deduplicated_price for c, share in shares.items()} == {
        category: Decimal(counts) for category, *_, counts in rows
    }
    assert {category for category, *_ in rows} <= WHOLE_TABLE.categories.keys()


def words(amount: Decimal) -> str:
    return f"${amount.normalize():f}"


def percent(day: Day, kept: Collection[str] | None = None) -> str:
    return f"{every_row(day, kept) / day[TOTAL]:.0%}"


@pytest.mark.parametrize(
    "said",
    [
        f"A tree of {len(VOICE)} rows",
        f"The {len(VOICE) - 1} rows below `totalprice` add up to {words(every_row(VOICE))},",
        f"{words(every_row(VOICE))}, {percent(VOICE)} of the bill of {words(VOICE[TOTAL])}.",
        f"as well and returns {words(every_row(VOICE) + VOICE[TOTAL])}.",
        f"so that {words(VOICE['verify-voice-sms'])} counts once.",
        f"{percent(VOICE)} of this bill, and {percent(A2P)} and {percent(WHATSAPP)} of the two",
        f"most detailed categories** finds {percent(VOICE, LOWEST)}.",
        f"row of it: {words(VOICE[TOTAL] - every_row(VOICE, LOWEST))} is lost.",
        f"top categories** finds {percent(VOICE, TOP)},",
        f"messages: {words(every_row(VOICE, TOP) - VOICE[TOTAL])} counts twice.",
        f"the {NUMBERS[len(COMMON)]} categories that Twilio's documentation calls common find",
        f"common find {percent(VOICE, COMMON)} of this bill, {percent(A2P, COMMON)} of the next",
        f"({words(sum(v for c, v in counted(A2P).items() if c.startswith('a2p')))} of",  # type: ignore[arg-type]
        f"explain {words(A2P[TOTAL] - counted(A2P)[TOTAL])} of its {words(A2P[TOTAL])}.",
        f"a table of {len(WHOLE_TABLE.categories)} categories",
        f"A tree of {NUMBERS[len(LONG)]} rows;",
        f"the same {words(VOICE[TOTAL])}, and {words(VOICE['calls-media-stream-minutes'])} of it",
        f"of {rounding({})} for each priced row, plus {rounding({})}, is ignored",
        f"among at most {MOST_CANDIDATES_FOR_SETS} rows",
        f"a sum would be only {words(LONG['sms-inbound'])}.",
    ],
)
def test_the_page_says_what_the_tap_works_out(said: str) -> None:
    assert said in " ".join(PAGE.split())


def test_the_readme_says_what_the_tap_works_out() -> None:
    said = (
        f"add up to {words(every_row(VOICE))}, {percent(VOICE)} of its bill of "
        f"{words(VOICE[TOTAL])}; another's to {percent(A2P)}."
    )
    readme = " ".join((ROOT / "README.md").read_text().split())
    assert said in readme
    assert f"The {len(VOICE)} rows of a real account" in readme


def test_what_the_text_says_of_single_categories_is_so() -> None:
    assert {c for c in counted(VOICE) if counted(VOICE)[c]} - {*LOWEST} == {"verify-voice-sms"}
    assert {c for c in VOICE if c in TOP and VOICE[c] >= VOICE["authy-sms-outbound"]} == {
        *("calls", "phonenumbers", "account-security", "channels")
    }
    twice = every_row(VOICE, TOP) - VOICE[TOTAL]
    assert twice == VOICE["authy-sms-outbound"] == VOICE["sms-outbound"] == VOICE["channels"]
    overlap = WHOLE_TABLE.categories["authy-sms-outbound"]
    assert (overlap.parent, overlap.also_included_in) == ("account-security", ("sms-outbound",))
    assert not every_row(WHATSAPP, COMMON)


def test_a_category_with_a_new_name_counts_as_the_old_one_did() -> None:
    day = dict(VOICE)
    day["calls-satellite"] = day.pop("calls-media-stream-minutes")
    assert "calls-satellite" not in WHOLE_TABLE.categories
    assert WHOLE_TABLE.parent("calls-satellite") == "calls"
    new, old = counted(day), counted(VOICE)
    assert new.pop("calls-satellite") == old.pop("calls-media-stream-minutes") == Decimal("0.0968")
    assert new == old


def test_the_pictures_are_what_the_command_draws(tmp_path: Path) -> None:
    command = [sys.executable, str(DOCS / "pictures.py"), str(tmp_path)]
    subprocess.run(command, check=True, env=clean_environment())
    drawn = {path.name: path.read_text() for path in tmp_path.iterdir()}
    shown = re.findall(r"!\[.+?\]\((.+?)\)", PAGE)
    assert drawn == {name: (DOCS / name).read_text() for name in shown}


@pytest.mark.parametrize(("file", "day"), [("tree.svg", VOICE), ("remainders.svg", LONG)])
def test_a_picture_of_a_tree_has_each_price_and_what_counts(file: str, day: Day) -> None:
    texts = re.findall(">([^<]+)</text>", (DOCS / file).read_text())
    for category, counts in counted(day).items():
        at = texts.index(category)
        assert [Decimal(text) for text in texts[at + 1 : at + 3]] == [day[category], counts]
    for words, amount in (("sum of all rows", every_row(day)), ("sum of what", day[TOTAL])):
        (at,) = (n for n, text in enumerate(texts) if text.startswith(words))
        assert Decimal(texts[at + 1]) == amount


def test_the_picture_of_the_ways_has_each_sum() -> None:
    texts = re.findall(">([^<]+)</text>", (DOCS / "ways.svg").read_text())
    sums = [Decimal(text) for text in texts if re.fullmatch(r"\d+\.\d+", text)]
    fixed = [every_row(VOICE, LOWEST), every_row(VOICE, TOP)]
    expected = [
        *(every_row(VOICE), *fixed, every_row(VOICE, COMMON), VOICE[TOTAL]),
        *(every_row(A2P), every_row(A2P, COMMON), A2P[TOTAL]),
        *(every_row(WHATSAPP), every_row(WHATSAPP, COMMON), WHATSAPP[TOTAL]),
    ]
    assert sums == expected


# Of other taps' tables there are only the columns that the queries name.
OLD_AND_NEW = """
    CREATE SCHEMA tap_twilio_usage;
    CREATE TABLE tap_twilio_usage.usage_records_daily AS
    SELECT 'AC...' AS account_sid, 'sms' AS category, DATE '2025-08-01' + n::int AS start_date,
           price::numeric AS price
    FROM UNNEST(ARRAY[0.1, 0.2, 0.000001, 0, 0.3]) WITH ORDINALITY AS days (price, n);
    CREATE SCHEMA airbyte;
    CREATE TABLE airbyte.usage_records AS
    SELECT account_sid, category, start_date::timestamptz AS start_date, price::float8 AS price
    FROM tap_twilio_usage.usage_records_daily
    UNION ALL SELECT 'AC1', category, start_date, price FROM tap_twilio_usage.usage_records_daily;
    CREATE SCHEMA tap_twilio;
    CREATE TABLE tap_twilio.usage_records AS
    SELECT 'AC...' AS account_sid, category, MIN(start_date)::timestamp AS start_date,
           MAX(start_date)::timestamp AS end_date, SUM(price)::float8 AS price
    FROM tap_twilio_usage.usage_records_daily GROUP BY category;
"""


def test_the_comparisons_with_old_tables_find_what_differs_and_nothing_else(database: str) -> None:
    queries = [query for query in blocks(DOCS / "migration.md", "text") if "JOIN" in query]
    assert len(queries) == 2
    with psycopg.connect(database) as connection:
        connection.execute(OLD_AND_NEW)
        assert [connection.execute(q).fetchall() for q in queries] == [[], []]
        connection.execute(
            "UPDATE tap_twilio_usage.usage_records_daily SET price = 0.5 WHERE price = 0.3"
        )
        found = [connection.execute(q).fetchall() for q in queries]
        assert [len(rows) for rows in found] == [1, 1]
        assert found[0][0][:2] == (date(2025, 8, 6), "sms")
