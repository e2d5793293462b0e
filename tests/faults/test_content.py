"""Cases 18 to 23, and 36: responses with missing, invalid or new content."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Context, Decimal, localcontext
from typing import Any

import pytest

from sandbox import Reply
from sandbox.faults import error
from tests.conftest import Run
from tests.faults.conftest import (
    BALANCE,
    BILLING,
    DATED,
    LISTS,
    RECONCILIATION,
    STREAMS,
    USAGE,
    USAGE_BY_DAY,
    Fault,
    Lab,
    changed,
    every_row,
    of,
    of_streams,
    rows_of,
    spread,
    table,
    warned,
)

Row = dict[str, Any]
OF_LISTS = [stream for stream in STREAMS if stream != BALANCE]  # a balance is one object

# 18: the envelope.


def renamed(page: Any) -> Any:
    return {f"new_{name}": value for name, value in page.items()}


def without_list(page: Any) -> Any:
    return {name: None if isinstance(value, list) else value for name, value in page.items()}


def no_list(page: Any) -> Any:
    return {name: {} if isinstance(value, list) else value for name, value in page.items()}


def in_a_list(page: Any) -> Any:
    return [page]


def without_what_tells_the_end(page: Any) -> Any:
    return {name: value for name, value in page.items() if name not in {"next_page_uri", "meta"}}


@pytest.mark.parametrize(
    ("stream", "change"),
    spread(OF_LISTS, [renamed, without_list, no_list, in_a_list, without_what_tells_the_end]),
)
def test_an_invalid_envelope_is_an_error(
    lab: Lab, stream: str, change: Callable[[Any], Any]
) -> None:
    run = lab.with_faults(of(stream, changed(change)), stream)
    assert run.code == 1
    assert " answered with" in run.last_line
    assert "; try 2" not in run.log
    assert table(run) == {}


# 19: records.

PART_OF_THE_ROW = "nothing for a log"
BARE = "\1"


def third_row(change: Callable[[Row], Any]) -> Fault:
    """Return a fault that changes one row, or replaces it by the returned value."""

    def change_it(page: Any) -> None:
        rows = rows_of(page)
        row = {"surprise": PART_OF_THE_ROW, **rows[2]}
        instead = change(row)
        rows[2] = row if instead is None else instead

    return changed(change_it)


def bare(fault: Fault, token: str) -> Fault:
    """Return a fault whose BARE becomes the token in the JSON text, which may be invalid."""

    def replaced(reply: Reply) -> Reply:
        marked = fault(reply)
        content = marked.content.replace(json.dumps(BARE).encode(), token.encode())
        return marked._replace(content=content)

    return replaced


def put(row: Row, field: str, value: Any) -> None:
    """Set a field; `a.b` is a field in another one."""
    within, _, name = field.rpartition(".")
    (row[within] if within else row)[name] = value


KEY = {
    **dict.fromkeys([*USAGE, RECONCILIATION], "category"),
    **dict.fromkeys(BILLING, "productName"),
    "categories": "category",
    "accounts": "sid",
    "usage_triggers": "sid",
}
DATE = {
    **dict.fromkeys([*USAGE, RECONCILIATION], "start_date"),
    **dict.fromkeys(BILLING, "startDate"),
    "accounts": "date_created",
    "usage_triggers": "date_created",
}
NUMBER = {
    **dict.fromkeys([*USAGE, RECONCILIATION, "categories"], "price"),
    **dict.fromkeys(BILLING, "price.amount"),
    "usage_triggers": "trigger_value",
}


def kinds_of(stream: str) -> dict[str, tuple[Fault, str]]:
    """Return the faults of a record of the stream, with the message for each."""

    def wrong(field: str, value: Any) -> Fault:
        return third_row(lambda row: put(row, field, value))

    key, date, number = KEY[stream], DATE.get(stream), NUMBER.get(stream)
    kinds = {
        "no object": (third_row(lambda _: PART_OF_THE_ROW), "it is not a JSON object"),
        "null": (changed(put_null), "it is not a JSON object"),
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
        if number.startswith("price"):
            for text in ("1e26", "0.0000000000001"):
                kinds[f"number {text!r}"] = (wrong(number, text), " has more than ")
        for token in ("NaN", "-Infinity", "true"):
            kinds[f"number {token}"] = (bare(wrong(number, BARE), token), says)
    return kinds


def put_null(page: Any) -> None:
    rows_of(page)[2] = None


@pytest.mark.parametrize(
    ("stream", "kind"),
    spread(OF_LISTS, kinds_of("usage_records_daily"), lambda *pair: pair[1] in kinds_of(pair[0])),
)
def test_an_invalid_record_is_an_error_with_its_position(lab: Lab, stream: str, kind: str) -> None:
    fault, says = kinds_of(stream)[kind]
    run = lab.with_faults(of(stream, fault), stream)
    assert run.code == 1
    assert f"{stream}: " in run.last_line
    assert " 3" in run.last_line
    assert says in run.last_line
    assert PART_OF_THE_ROW not in run.log
    assert len(table(run, stream)) <= (2 if stream in LISTS else 0)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (renamed, "its account_sid is missing"),
        (in_a_list, "answered with"),
        (lambda row: put(row, "account_sid", None), "its account_sid is missing"),
        (lambda row: put(row, "account_sid", "AC" + "9" * 32), "is of another account than AC0"),
        (lambda row: put(row, "balance", "free"), "its balance is not a number"),
        (lambda row: put(row, "balance", "1e26"), "its balance has more than 26 digits"),
        (lambda row: put(row, "currency", ["usd"]), "its currency is not text"),
    ],
)
def test_an_invalid_balance_is_an_error(lab: Lab, change: Callable[[Any], Any], says: str) -> None:
    run = lab.with_faults(of(BALANCE, changed(change)), BALANCE)
    assert run.code == 1
    assert run.last_line.count(f"{BALANCE}: ") == 1
    assert says in run.last_line
    assert table(run) == {}


def test_an_account_without_a_balance_is_logged_and_fails_nothing(lab: Lab, healthy: Run) -> None:
    run = lab.with_faults(of(BALANCE, error(404, 20404, "not found")), BALANCE, "categories")
    assert run.code == 0
    assert "Twilio has no balance of AC" in warned(run)
    assert table(run) == of_streams(healthy, "categories")


def test_no_row_of_the_day_of_an_invalid_record_is_emitted(lab: Lab, healthy: Run) -> None:
    wrong_from = "2025-09-15"

    def change(row: Row) -> None:
        if row["start_date"] == wrong_from and row["category"] == "totalprice":
            row["price"] = "free"

    plan = of("usage_records_daily", every_row(change))
    run = lab.with_faults(plan, "usage_records_daily", page_size=50)  # one day per request
    whole = of_streams(healthy, "usage_records_daily")
    assert run.code == 1
    assert table(run) == {k: row for k, row in whole.items() if row["start_date"] < wrong_from}
    assert lab.resumed(run, "usage_records_daily") == whole


# 20: new fields, categories and currencies.


def test_unknown_fields_and_categories_are_logged_once(lab: Lab, healthy: Run) -> None:
    def change(row: Row) -> None:
        row["surprise"] = {"nested": 1}

    run = lab.with_faults(lambda _: every_row(change))
    assert run.code == 0
    assert table(run) == table(healthy)
    assert warned(run).count("field 'surprise' is new to this version") == len(STREAMS) - 1


@pytest.mark.parametrize("stream", USAGE_BY_DAY)
def test_an_unknown_category_is_logged_once(lab: Lab, stream: str) -> None:
    def change(row: Row) -> None:
        if row["category"] == "sms":
            row["category"] = "quantum-messages"

    run = lab.with_faults(of(stream, every_row(change)), stream)
    assert run.code == 0
    assert any(row["category"] == "quantum-messages" for row in table(run).values())
    assert warned(run).count("category 'quantum-messages' is new to this version") == 1


@pytest.mark.parametrize("stream", USAGE_BY_DAY)
def test_a_null_price_and_a_second_currency_are_logged_once(lab: Lab, stream: str) -> None:
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
    assert warned(run).count("category 'calls-inbound' has usage but no price") == 1
    assert warned(run).count(": rows have more than one currency: eur, usd") == 1


# 21: decimals.

EXACT = "12345678901234567890.123456789012"


@pytest.mark.parametrize(
    ("stream", "token"),
    spread(
        [*USAGE, *BILLING, "usage_triggers", BALANCE],
        [f'"{EXACT}"', EXACT, '"-0.00001"', "1.5E-7", '"1.5E-7"', '"-2e3"'],
    ),
)
def test_decimals_are_exact(lab: Lab, stream: str, token: str) -> None:
    """The decimals are strings or numbers in the JSON."""
    fields = {"usage_triggers": ["trigger_value"], BALANCE: ["balance"]}.get(
        stream, ["usage", "price"]
    )

    def change(row: Row) -> None:
        for field in fields:
            put(row, f"{field}.amount" if stream in BILLING else field, BARE)

    run = lab.with_faults(of(stream, bare(every_row(change), token)), stream)
    exact = Decimal(token.strip('"'))
    rows = table(run).values()
    assert run.code == 0
    assert rows
    assert {Decimal(row[field]) for row in rows for field in fields} == {exact}
    for day in {row["start_date"] for row in rows} if stream in USAGE else ():
        shares = [Decimal(row["deduplicated_price"]) for row in rows if row["start_date"] == day]
        with localcontext(Context(prec=100)):
            assert sum(shares) == exact


# 22: rows for other days.


def earlier(day: str) -> str:
    return f"2024{day[4:]}"


def later(day: str) -> str:
    return f"2026{day[4:]}"


OTHER_DAYS: dict[str, dict[str, Callable[[str], str]]] = {
    "earlier": {"start": earlier, "end": earlier},
    "later": {"start": later, "end": later},
    "of more than one period": {"end": later},
}


@pytest.mark.parametrize(("stream", "kind"), spread(DATED, OTHER_DAYS))
def test_rows_that_were_not_requested_are_an_error(lab: Lab, stream: str, kind: str) -> None:
    def change(row: Row) -> None:
        for end, move in OTHER_DAYS[kind].items():
            name = f"{end}Date" if stream in BILLING else f"{end}_date"
            row[name] = move(row[name])

    run = lab.with_faults(of(stream, every_row(change)), stream)
    assert run.code == 1
    is_billing = stream in BILLING
    says = ": rows of other days, " if is_billing else ", which was not requested; "
    assert says in run.last_line
    assert table(run) == {}


# 23: no `totalprice`.


def without_total(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["category"] != "totalprice"]


def without_price_of_total(rows: list[Row]) -> list[Row]:
    return [row | {"price": None} if row["category"] == "totalprice" else row for row in rows]


@pytest.mark.parametrize(("stream", "kept"), spread(USAGE, [without_total, without_price_of_total]))
def test_rows_without_a_total_have_no_deduplicated_price(
    lab: Lab, stream: str, kept: Callable[[list[Row]], list[Row]]
) -> None:
    def change(page: Any) -> None:
        rows_of(page)[:] = kept(rows_of(page))

    run = lab.with_faults(of(stream, changed(change)), stream)
    rows = table(run).values()
    assert run.code == 0
    assert len(rows) > 10
    assert {row["deduplicated_price"] for row in rows} == {None}
    assert {row["counts_in_total"] for row in rows} == {None}
    assert (
        warned(run).count("totalprice is missing or has no price; deduplicated_price is null") == 1
    )


# 36: refunds.


def test_days_of_refunds_are_the_mirror_image_of_days_of_charges(lab: Lab) -> None:
    def refund(row: Row) -> None:
        row["price"] = f"{-Decimal(row['price'])}"

    stream = "usage_records_daily"
    charged = table(lab.with_faults(lambda _: None, stream))
    run = lab.with_faults(of(stream, every_row(refund)), stream)
    assert run.code == 0
    shares = {key: row["deduplicated_price"] for key, row in table(run).items()}
    assert shares == {key: -row["deduplicated_price"] for key, row in charged.items()}
    assert any(shares.values())
