"""Cases 18 to 23: answers in which something is missing, cannot be read, or is new."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from sandbox import Reply
from tests.conftest import Run
from tests.faults.conftest import (
    BILLING,
    LISTS,
    STREAMS,
    USAGE,
    Fault,
    Lab,
    changed,
    every_row,
    of,
    of_streams,
    rows_of,
    spread,
    table,
)

Row = dict[str, Any]

# 18: the envelope.


def renamed(page: Any) -> Any:
    return {f"new_{name}": value for name, value in page.items()}


def without_list(page: Any) -> Any:
    return {name: None if isinstance(value, list) else value for name, value in page.items()}


def no_list(page: Any) -> Any:
    return {name: {} if isinstance(value, list) else value for name, value in page.items()}


def in_a_list(page: Any) -> Any:
    return [page]


@pytest.mark.parametrize(
    ("stream", "change"), spread(STREAMS, [renamed, without_list, no_list, in_a_list])
)
def test_an_envelope_without_its_list_is_fatal(
    lab: Lab, stream: str, change: Callable[[Any], Any]
) -> None:
    run = lab.with_faults(of(stream, changed(change)), stream)
    assert run.code == 1
    assert " answered with" in run.last_line
    assert "; try 2" not in run.log
    assert table(run) == {}


# 19: records.


def third_row(change: Callable[[Row], Any]) -> Fault:
    """Have one row changed, or replaced by what is returned."""

    def change_it(page: Any) -> None:
        rows = rows_of(page)
        instead = change(rows[2])
        rows[2] = rows[2] if instead is None else instead

    return changed(change_it)


def bare(token: bytes, field: str) -> Fault:
    """Have a JSON value in the third row that only JSON of sorts has, such as NaN."""

    def fault(reply: Reply) -> Reply:
        marked = third_row(lambda row: put(row, field, "\1"))(reply)
        return marked._replace(content=marked.content.replace(b'"\\u0001"', token))

    return fault


def put(row: Row, field: str, value: Any) -> None:
    """Set a field; `a.b` is inside of another."""
    within, _, name = field.rpartition(".")
    (row[within] if within else row)[name] = value


KEY = {
    **dict.fromkeys(USAGE, "category"),
    **dict.fromkeys(BILLING, "productName"),
    "categories": "category",
    "accounts": "sid",
    "usage_triggers": "sid",
}
DATE = {
    **dict.fromkeys(USAGE, "start_date"),
    **dict.fromkeys(BILLING, "startDate"),
    "accounts": "date_created",
    "usage_triggers": "date_created",
}
NUMBER = {
    **dict.fromkeys([*USAGE, "categories"], "price"),
    **dict.fromkeys(BILLING, "price.amount"),
    "usage_triggers": "trigger_value",
}


def kinds_of(stream: str) -> dict[str, tuple[Fault, str]]:
    """Give what can be wrong with a record of the stream, and what is said of it."""

    def wrong(field: str, value: Any) -> Fault:
        return third_row(lambda row: put(row, field, value))

    key, date, number = KEY[stream], DATE.get(stream), NUMBER.get(stream)
    kinds = {
        "no object": (third_row(lambda _: "a row"), "it is no JSON object"),
        "null": (changed(put_null), "it is no JSON object"),
        "key null": (wrong(key, None), f"its {key} is missing"),
        "key missing": (third_row(lambda row: row.pop(key) and None), f"its {key} is missing"),
    }
    if date:
        for value in ("soon", "2025-02-30", 20250911):
            kinds[f"date {value!r}"] = (wrong(date, value), f"its {date} ")
    if number:
        says = f"its {number.rpartition('.')[2]} is not a number"
        for text in ("1,234.50", "free", "NaN", "0x10"):
            kinds[f"number {text!r}"] = (wrong(number, text), says)
        for token in (b"NaN", b"-Infinity", b"true"):
            kinds[f"number {token.decode()}"] = (bare(token, number), says)
    return kinds


def put_null(page: Any) -> None:
    rows_of(page)[2] = None


@pytest.mark.parametrize(
    ("stream", "kind"),
    [
        (stream, kind)
        for stream, kind in spread(STREAMS, kinds_of("usage_records_daily"))
        if kind in kinds_of(stream)
    ],
)
def test_a_record_that_cannot_be_right_is_fatal_with_its_place(
    lab: Lab, stream: str, kind: str
) -> None:
    fault, says = kinds_of(stream)[kind]
    run = lab.with_faults(of(stream, fault), stream)
    assert run.code == 1
    assert f"{stream}: " in run.last_line
    assert " 3" in run.last_line
    assert says in run.last_line
    assert "Sandbox" not in run.last_line
    assert len(table(run, stream)) <= (2 if stream in LISTS else 0)


def test_nothing_of_the_day_of_a_wrong_record_goes_out(lab: Lab, healthy: Run) -> None:
    wrong_from = "2025-09-15"

    def change(row: Row) -> None:
        if row["start_date"] == wrong_from and row["category"] == "totalprice":
            row["price"] = "free"

    run = lab.with_faults(of("usage_records_daily", every_row(change)), "usage_records_daily")
    whole = of_streams(healthy, "usage_records_daily")
    assert run.code == 1
    assert table(run) == {k: row for k, row in whole.items() if row["start_date"] < wrong_from}
    assert lab.resumed(run, "usage_records_daily") == whole


# 20: what is new.


def test_what_is_unknown_is_kept_and_said_once(lab: Lab, healthy: Run) -> None:
    def change(row: Row) -> None:
        row["surprise"] = {"nested": 1}

    run = lab.with_faults(lambda _: every_row(change))
    assert run.code == 0
    assert table(run) == table(healthy)
    assert run.log.count("Twilio sends a new field, not loaded: 'surprise'") == len(STREAMS) - 1


@pytest.mark.parametrize("stream", USAGE)
def test_an_unknown_category_is_kept_and_said_once(lab: Lab, stream: str) -> None:
    def change(row: Row) -> None:
        if row["category"] == "sms":
            row["category"] = "quantum-messages"

    run = lab.with_faults(of(stream, every_row(change)), stream)
    assert run.code == 0
    assert any(row["category"] == "quantum-messages" for row in table(run).values())
    assert run.log.count("unknown category 'quantum-messages'") == 1


@pytest.mark.parametrize("stream", USAGE)
def test_a_price_that_is_null_and_another_currency_are_kept_and_said_once(
    lab: Lab, stream: str
) -> None:
    def change(row: Row) -> None:
        if row["category"] == "calls-inbound":
            row["price"] = None
        if row["category"] == "sms-inbound":
            row["price_unit"] = "eur"

    run = lab.with_faults(of(stream, every_row(change)), stream)
    assert run.code == 0
    rows = [row for row in table(run).values() if row["category"] == "calls-inbound"]
    assert rows
    assert all(row["price"] is None for row in rows)
    assert any(row["price_unit"] == "eur" for row in table(run).values())
    assert run.log.count("'calls-inbound' has usage but no price on ") == 1
    assert run.log.count(" has more than one currency: ['eur', 'usd']") == 1


# 21: decimals.

EXACT = "12345678901234567890.123456789012345678901234567890"


@pytest.mark.parametrize(
    ("stream", "text"),
    spread([*USAGE, *BILLING, "usage_triggers"], [EXACT, "-0.00001", "1.5E-7", "-2e3"]),
)
def test_decimals_are_exact(lab: Lab, stream: str, text: str) -> None:
    field = {"usage_triggers": "trigger_value"}.get(stream, "usage")

    def change(row: Row) -> None:
        put(row, f"{field}.amount" if stream in BILLING else field, text)

    run = lab.with_faults(of(stream, every_row(change)), stream)
    assert run.code == 0
    written = [row[field] for row in table(run).values()]
    assert written
    assert set(map(Decimal, written)) == {Decimal(text)}


# 22: rows of other days.


@pytest.mark.parametrize(
    "stream", ["usage_records_daily", "usage_records_monthly", "usage_records_yearly", *BILLING]
)
def test_rows_outside_of_what_was_asked_for_are_fatal(lab: Lab, stream: str) -> None:
    def change(row: Row) -> None:
        for name in ("start_date", "end_date", "startDate", "endDate"):
            if name in row:
                row[name] = f"2024{row[name][4:]}"

    run = lab.with_faults(of(stream, every_row(change)), stream)
    assert run.code == 1
    assert run.last_line.endswith(", which was not asked for")
    assert table(run) == {}


# 23: no total.


@pytest.mark.parametrize("stream", USAGE)
def test_without_a_total_rows_are_kept_and_nothing_is_claimed(lab: Lab, stream: str) -> None:
    def change(page: Any) -> None:
        rows = rows_of(page)
        rows[:] = [row for row in rows if row["category"] != "totalprice"]

    run = lab.with_faults(of(stream, changed(change)), stream)
    rows = table(run).values()
    assert run.code == 0
    assert len(rows) > 10
    assert {row["deduplicated_price"] for row in rows} == {None}
    assert {row["counts_in_total"] for row in rows} == {None}
    assert run.log.count(" has no price of totalprice: deduplicated_price is null there") == 1
