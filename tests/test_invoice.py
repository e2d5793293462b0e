"""The command that reads Twilio's invoice CSVs: formats, what it refuses, what it writes."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox import MAIN_SID, Company
from sandbox.__main__ import main as sandbox
from sandbox.invoice import invoice
from tap_twilio_usage.invoice import amounts, dates
from tap_twilio_usage.invoice.__main__ import lines_of_all
from tap_twilio_usage.invoice.columns import NAMES, currency_of
from tap_twilio_usage.invoice.errors import InvoiceError
from tap_twilio_usage.invoice.line import Line
from tap_twilio_usage.invoice.lines import Hints, kind_of
from tap_twilio_usage.invoice.summaries import is_a_total
from tests.conftest import clean_environment

SID, OTHER = "AC" + "a" * 32, "AC" + "b" * 32
NAME = f"{SID}-2025-09-IV77.csv"
HEADER = "Project,Company Name,Item Category,Item Group,Item,Quantity,Amount (USD)"
ALL = "All Accounts Combined"
Read = Callable[..., list[Line]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return a function that reads a file with these rows."""

    def run(*rows: str | bytes, name: str = NAME, header: str = HEADER, **hints: Any) -> list[Line]:
        path = tmp_path / name
        content = b"".join(row if isinstance(row, bytes) else f"{row}\n".encode() for row in rows)
        path.write_bytes((f"{header}\n".encode() if header else b"") + content)
        return lines_of_all([path], Hints(**hints))

    return run


def problems(read: Read, *rows: str | bytes, **more: Any) -> list[str]:
    """Return what is wrong with a file, without its name."""
    with pytest.raises(InvoiceError) as refused:
        read(*rows, **more)
    return [problem.partition(".csv: ")[2] for problem in refused.value.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", "0"),
        ("12", "12"),
        ("12.3", "12.3"),
        (".5", "0.5"),
        ("12.", "12"),
        ("$1,234.50", "1234.50"),
        ("1,234,567.89", "1234567.89"),
        ("1,234,567", "1234567"),
        ("1.234,50", "1234.50"),
        ("1.234.567", "1234567"),
        ("12,5", "12.5"),
        ("0,008", "0.008"),
        ("0.008", "0.008"),
        ("1234.567", "1234.567"),
        ("1 234,50", "1234.50"),
        ("1\u00a0234,50", "1234.50"),
        ("1\u202f234,50", "1234.50"),
        ("1'234.50", "1234.50"),
        ("1\u2019234.50", "1234.50"),
        ("(12.00)", "-12.00"),
        ("($12.00)", "-12.00"),
        ("$ (12.00)", "-12.00"),
        ("-$3", "-3"),
        ("$-3", "-3"),
        ("\u2212$3.00", "-3.00"),
        ("3.00-", "-3.00"),
        ("USD 3.50", "3.50"),
        ("3.50 USD", "3.50"),
        ("-3.50 EUR", "-3.50"),
        ("US$3.50", "3.50"),
        ("\u20ac3,50", "3.50"),
        ("3,50 \u20ac", "3.50"),
        ("12345678901234567890123456.123456789012", "12345678901234567890123456.123456789012"),
    ],
)
def test_amounts(text: str, expected: str) -> None:
    assert amounts.amount(text, None)[0] == Decimal(expected)


@pytest.mark.parametrize(
    "text",
    [
        *("", "-", "$", "abc", "1.2.3", "1,23,456.00", "1,2345.00", "1,234.5,6", "(3", "3)"),
        *("-(3)", "--3", "1e5", "1.23E+05", "NaN", "Infinity", "12%", "3 4 5 USD EUR", "0x10"),
        *("1.2345678901234", "123456789012345678901234567.0", "12.34 CR", ".", ",", "1,,234.00"),
        *("01,234.00", "1,234,5", "1.234.5", "1,234.567.8", "12,34,567", "\u0661\u0662"),
        *("$(3", "($(3))", "$(3)-"),
    ],
)
def test_what_is_not_an_amount(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|has|can)"):
        amounts.amount(text, amounts.POINT)


def test_an_amount_or_a_date_that_is_clear_does_not_follow_the_others() -> None:
    assert amounts.amount("12.34", amounts.COMMA)[0] == Decimal("12.34")
    assert dates.day("13/04/2025", dates.MONTH_FIRST) == date(2025, 4, 13)


@pytest.mark.parametrize("text", ["1,234", "1.234", "$12,345", "-123.456"])
def test_an_amount_that_may_be_thousands_or_a_fraction(text: str) -> None:
    number = text.lstrip("-$")
    with pytest.raises(ValueError, match="thousands or a fraction"):
        amounts.amount(text, None)
    found = {abs(amounts.amount(text, sign)[0]) for sign in amounts.NAMES}
    assert found == {Decimal(number.replace(",", ".")), Decimal(number.translate({44: "", 46: ""}))}


def test_the_other_amounts_of_a_file_tell_which(read: Read) -> None:
    row = "Main,,Service,Calls,Out,"
    found = read(f'{row}"1,234","1,234"', f'{row}5,"$7.5"')
    assert [(f"{line.quantity}", f"{line.amount}") for line in found] == [
        ("1234", "1234"),
        ("5", "7.5"),
    ]
    found = read(f'{row}"1,234","1,234"', f'{row}5,"7,5"')
    assert found[0].amount == Decimal("1.234")
    assert problems(read, f'{row}5,"1,234"', f"{row}5,7") == [
        (
            "row 2: amount '1,234' can be thousands or a fraction; use --decimal point or "
            "--decimal comma"
        )
    ]
    assert read(f'{row}5,"1,234"', decimal=amounts.POINT)[0].amount == 1234
    assert problems(read, f'{row}5,"1,5"', f"{row}5,7.5") == [
        "'7.5' has a decimal point and '1,5' a comma; a file has one format"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-09-04", "2025-09-04"),
        ("2025/9/4", "2025-09-04"),
        ("20250904", "2025-09-04"),
        ("2025-09-04T00:00:00Z", "2025-09-04"),
        ("2025-09-04 00:00:00", "2025-09-04"),
        ("2025-09-04T00:00:00.000+00:00", "2025-09-04"),
        ("09/13/2025", "2025-09-13"),
        ("9/13/2025 12:00 AM", "2025-09-13"),
        ("13/09/2025", "2025-09-13"),
        ("04.09.2025", "2025-09-04"),
        ("4/4/2025", "2025-04-04"),
        ("Sep 4, 2025", "2025-09-04"),
        ("Sept. 4 2025", "2025-09-04"),
        ("September 4th, 2025", "2025-09-04"),
        ("4 Sep 2025", "2025-09-04"),
        ("04-SEP-2025", "2025-09-04"),
        ("4 september, 2025", "2025-09-04"),
    ],
)
def test_days(text: str, expected: str) -> None:
    assert f"{dates.day(text, None)}" == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "2025-02-30", "2025-13-01", "31/31/2025", "Foo 4, 2025", "9/4/25", "2025", "9-2025"),
        *("45536", "2025-09-04x", "2025-09/04", "0/1/2025"),
    ],
)
def test_what_is_not_a_day(text: str) -> None:
    with pytest.raises(ValueError, match="is not a date"):
        dates.day(text, dates.MONTH_FIRST)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2025-09", "2025-09-01", "2025-09-30"),
        ("09/2025", "2025-09-01", "2025-09-30"),
        ("February 2024", "2024-02-01", "2024-02-29"),
        ("Feb-2025", "2025-02-01", "2025-02-28"),
        ("2025 Feb", "2025-02-01", "2025-02-28"),
        ("2025-09-01 - 2025-09-30", "2025-09-01", "2025-09-30"),
        ("Sep 1, 2025 to Sep 30, 2025", "2025-09-01", "2025-09-30"),
        ("09/01/2025\u201309/30/2025", "2025-09-01", "2025-09-30"),
    ],
)
def test_periods(text: str, first: str, last: str) -> None:
    order = dates.common_order([text])
    assert tuple(map(str, dates.period(text, order))) == (first, last)


def test_the_other_dates_of_a_file_tell_whether_the_day_comes_first(read: Read) -> None:
    header = "Invoice Number,Start Date,End Date,Account SID,Product,Cost"

    def found(first: str, last: str, **hints: Any) -> tuple[str, str]:
        (line,) = read(f"IV1,{first},{last},{SID},Calls,1.5 USD", header=header, **hints)
        return f"{line.period_start}", f"{line.period_end}"

    def refused(first: str, last: str) -> list[str]:
        return problems(read, f"IV1,{first},{last},{SID},Calls,1.5 USD", header=header)

    assert found("03/04/2025", "03/31/2025") == ("2025-03-04", "2025-03-31")
    assert found("03/04/2025", "30/04/2025") == ("2025-04-03", "2025-04-30")
    assert found("03/04/2025", "05/04/2025", dates=dates.DAY_FIRST) == ("2025-04-03", "2025-04-05")
    assert refused("03/04/2025", "05/04/2025") == [
        "row 2: date '03/04/2025' can be two days; use --dates day-first or --dates month-first"
    ]
    assert refused("13/04/2025", "04/14/2025") == [
        "'13/04/2025' begins with a day and '04/14/2025' with a month; a file has one format"
    ]
    assert refused("2025-04-02", "2025-04-01") == [
        "row 2: the period begins on 2025-04-02, after its end, 2025-04-01"
    ]
    assert refused("2025-04-01", "") == ["row 2: no period_end; use --month"]


def test_the_file_that_customers_describe(read: Read) -> None:
    found = read(
        f'{ALL},,Service,Calls,Outbound,"1,234","$1,234.50"',
        f"{ALL},,Taxes,Taxes,State Tax,,$3.00",
        'Main,Acme,Service,Calls,Outbound,"1,000","$1,000.25"',
        "Sub,Acme,Service,Calls,Outbound,234,$234.25",
        "",
        ",,,,,,",
    )
    whole = ("IV77", date(2025, 9, 1), date(2025, 9, 30))
    raw = '{"Company Name": "Acme"}'
    calls = ("Calls", "Outbound")
    assert found == [
        Line(*whole, SID, "Taxes", "State Tax", None, Decimal("3.00"), "USD", "tax", ""),
        Line(*whole, "Main", *calls, Decimal(1000), Decimal("1000.25"), "USD", "usage", raw),
        Line(*whole, "Sub", *calls, Decimal(234), Decimal("234.25"), "USD", "usage", raw),
    ]


def test_other_columns_are_kept_in_raw(read: Read) -> None:
    header = "Note,Project,Note,Item Group,,Price,Amount (USD),Empty"
    (line,) = read("a,Main,b,Calls,c,9,$1.00,", header=header)
    assert json.loads(line.raw) == {"Note": "a", "Note (3)": "b", "": "c", "Price": "9"}


def test_rows_of_all_accounts_are_lines_where_there_are_no_others(read: Read) -> None:
    found = read(f"{ALL},,Service,Calls,Out,1,$5.00", f"{ALL},,Service,Calls,In,1,$6.00")
    assert [(line.account_sid, f"{line.amount}") for line in found] == [
        (SID, "5.00"),
        (SID, "6.00"),
    ]


@pytest.mark.parametrize(
    "rows",
    [
        ("Main,,Service,Calls,Out,1,5.00", f"{ALL},,Service,Calls,Out,1,5.02"),
        ("Main,,Service,Calls,Out,1,5.00", f"{ALL},,Service,Calls,Out US,1,5.00",
         f"{ALL},,Taxes,Taxes,VAT,,1.00"),
        ("Main,,Service,Calls,Out,1,5.00", "Total,,,,,,5.03"),
        ("Main,,Service,Calls,Out,1,5.00", f"{ALL},,,,,,5.03"),
        ("Main,,Service,Calls,Out,1,5.00", ",,,Calls,Total,,5.03"),
        ("Main,,Service,Calls,Out,1,5.00", "Sub,,Service,Calls,Out,1,1.00",
         "Sub,,,Subtotal,,,5.00"),
        ("Total,,,,,,5.00",),
        ("Main,,Service,Calls,Out,1,5.00", f"{ALL},,Service,Calls,,1,5.02"),
    ],
)  # fmt: skip
def test_a_summary_that_is_not_the_sum_is_refused(read: Read, rows: Sequence[str]) -> None:
    (problem,) = problems(read, *rows)
    assert problem.startswith("row ")


@pytest.mark.parametrize(
    "rows",  # the first is the only line
    [
        ("Main,,Service,Calls,Out,1,5.00", f"{ALL},,Service,Calls,Out,1,5.01"),  # rounding
        ("Main,,Service,Calls,Out,1,5.00", f"{ALL},,Service,Voice,Calls,1,5.00"),  # other names
        ("Main,,Service,Calls,Out,1,5.00", "Total,,,,,,5.00", "Main,,,Sub-total,,,$5.00"),
        ("Main,,Service,Calls,Out,1,5.00", ",,,,Grand Total,,5.00", ",,,Calls,Total,,5.00"),
        ("Main,,Service,Calls,Out,1,5.00", ",,,Subtotal,Calls,,5.00"),
    ],
)
def test_a_summary_that_is_the_sum_is_not_counted(read: Read, rows: Sequence[str]) -> None:
    (line,) = read(*rows)
    assert line.amount == 5


def test_a_total_may_leave_out_taxes_and_say_nothing_else(read: Read) -> None:
    header = "invoice_id,month,currency,account,item_group,item,amount"
    rows = [
        f"IV1,2025-09,usd,{SID},Calls,Out,5.00",
        f"IV1,2025-09,usd,{SID},Taxes,VAT,1.00",
        f"IV1,2025-09,usd,{SID},Total Call Minutes,,9.00",  # the name of a category
        f"IV1,2025-09,eur,{SID},Calls,Out,2.00",
        f"IV1,2025-09,usd,{SID},Calls,Out,0.50",
    ]
    found = read(*rows, ",,,,Subtotal,,14.50", header=header, name="x.csv")
    assert [(line.item_group, line.kind, f"{line.amount} {line.currency}") for line in found] == [
        ("Calls", "usage", "5.00 USD"),
        ("Taxes", "tax", "1.00 USD"),
        ("Total Call Minutes", "usage", "9.00 USD"),
        ("Calls", "usage", "0.50 USD"),
        ("Calls", "usage", "2.00 EUR"),
    ]
    assert problems(read, *rows, f",2025-09,,{SID},Calls,,1", header=header, name="x.csv") == [
        (
            "row 7: no invoice_id, and the file's name has none (ACCOUNT-YYYY-MM-IV...); use "
            "--invoice-id"
        )
    ]


@pytest.mark.parametrize(
    ("category", "group", "item", "kind"),
    [
        ("Service", "Calls", "Sales Tax", "usage"),
        ("Taxes", "", "", "tax"),
        ("Promos", "", "", "credit"),
        ("", "Taxes", "", "tax"),
        ("", "Calls", "VAT 20%", "tax"),
        ("", "Credits", "", "credit"),
        ("", "Promotional credit", "", "credit"),
        ("", "Late payment fee", "", "fee"),
        ("Fees", "", "", "fee"),
        ("", "Carrier Fees", "Outbound", "usage"),
        ("Other", "Taxi", "Creditworthiness", "usage"),
    ],
)
def test_kinds(category: str, group: str, item: str, kind: str) -> None:
    assert kind_of(category, group, item) == kind


@pytest.mark.parametrize(
    ("rows", "options", "expected"),
    [
        (["Main,,,Calls,,1,x"], {}, "row 2: amount 'x' is not an amount"),
        (["Main,,,Calls,,many,1"], {}, "row 2: quantity 'many' is not an amount"),
        (["Main,,,Calls,,1,", "Main,,,Calls,,1,1"], {}, "row 2: no amount"),
        (["Main,,,Calls,,1,1,soon"], {"header": HEADER + ",Month"},
         "row 2: date 'soon' is not a month and not two dates"),
        (["Main,,,,,1,1"], {}, "row 2: no item_group and no item"),
        (["", "Main,,,Calls,,1,2,3"], {}, "row 3 has 8 cells, the header 7"),
        (["Main,,,Calls,,1,EUR 2"], {"header": HEADER + ",Currency"}, None),
        (["Main,,,Calls,,1,EUR 2,USD"], {"header": HEADER + ",Currency"},
         "row 2: two currencies, EUR and USD"),
        (['Main,,,"Calls,,1,2'], {}, "row 2 is not valid CSV: unexpected end of data"),
        (["Main,,,Calls,,1,1"], {"name": "x.csv"}, "no column period"),
        (["Main,,,Calls,,1,1"], {"header": HEADER.replace(" (USD)", "")}, "no column currency"),
        (["a,b,c"], {"header": "Project,Item Group,Item"}, "no column amount; the columns are"),
        (["Main,,,Calls,,1,1"], {"header": HEADER.replace("Project", "x")}, "no column account"),
        (["a,1"], {"header": "Item,Amount"}, "no column account and no column item_group"),
        (["1,2,3,4"], {"header": "Project,Item Group,Amount (USD),Amount (EUR)"},
         "two columns for amount: 'Amount (USD)' and 'Amount (EUR)'"),
        ([], {}, "no rows below the header"),
        ([], {"header": ""}, "no column account and no column item_group and no column amount"),
        ([b"PK\x03\x04\x00\xff"], {}, "is not a text file in UTF-8 or UTF-16"),
        (["Main,Soci\xe9t\xe9".encode("cp1252") + b",,Calls,,1,1"], {}, "is not a text file"),
    ],
)  # fmt: skip
def test_what_is_refused(
    read: Read, rows: list[str], options: dict[str, str], expected: str | None
) -> None:
    if expected is None:
        assert read(*rows, **options)[0].currency == "EUR"
        return
    (problem,) = problems(read, *rows, **options)
    assert problem.startswith(expected)


def test_every_row_with_a_problem_is_named(read: Read) -> None:
    assert problems(read, "a,,,b,,1,x", "a,,,b,,1,1", "a,,,b,,1,y") == [
        "row 2: amount 'x' is not an amount",
        "row 4: amount 'y' is not an amount",
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encodings_and_separators(tmp_path: Path, encoding: str, separator: str, end: str) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(HEADER.split(","))
    writer.writerow(["Caf\xe9", "\xc9, B; C\tD|E", "Service", 'a "b"\nc', "x", "1", "$2.50"])
    content = f"sep={separator}{end}{text.getvalue()}" if separator == ";" else text.getvalue()
    path = tmp_path / NAME
    mark = codecs.BOM_UTF16_BE if encoding == "utf-16-be" else b""
    path.write_bytes(mark + content.encode(encoding))
    (line,) = lines_of_all([path], Hints())
    assert (line.account_sid, line.item_group, line.amount) == (
        "Caf\xe9",
        'a "b"\nc',
        Decimal("2.5"),
    )
    assert line.raw == '{"Company Name": "\xc9, B; C\\tD|E"}'


def test_an_invoice_in_two_files_is_counted_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, third = (tmp_path / name for name in (NAME, "copy.csv", "other.csv"))
    header = HEADER + ",Invoice,Month"
    rows = ["Main,,,Calls,a,1,5.00,IV77,2025-09", "Main,,,Calls,b,1,6.00,IV77,2025-09"]
    first.write_text("\n".join([header, *rows]))
    second.write_text("\n".join([header, *reversed(rows)]))
    third.write_text("\n".join([header, rows[0]]))
    assert len(lines_of_all([first, second], Hints())) == 2
    assert f"{second}: invoice IV77 is also in {first}, with the same lines" in (
        capsys.readouterr().err
    )
    with pytest.raises(InvoiceError, match=f"invoice IV77 is also in {first}, with other lines"):
        lines_of_all([first, third], Hints())


def test_an_invoice_has_one_period(read: Read) -> None:
    header = HEADER + ",Month"
    rows = ("Main,,,Calls,a,1,5.00,2025-09", "Main,,,Calls,a,1,5.00,2025-08")
    assert problems(read, *rows, header=header) == [
        (
            "invoice IV77 has several periods, 2025-08-01 to 2025-08-31 and 2025-09-01 to "
            "2025-09-30; use --month"
        )
    ]
    period = dates.Period(date(2025, 9, 1), date(2025, 9, 30))
    assert len(read(*rows, header=header, period=period)) == 2


@pytest.mark.parametrize(
    ("header", "code"),
    [("Amount (USD)", "USD"), ("Amount [EUR]", "EUR"), ("Cost GBP", "GBP"), ("Amount", None)],
)
def test_the_currency_of_a_header(header: str, code: str | None) -> None:
    assert currency_of(header) == code


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "UPPER": str.upper,
    "Title Case": str.title,
    "_with_ signs-": lambda name: f"_{name[:3]}-{name[3:]} ",
}
AMOUNTS: dict[str, Callable[[Decimal], str]] = {
    "plain": lambda value: f"{value:f}",
    "dollars": lambda value: f"{'-' if value < 0 else ''}${abs(value):,f}",
    "brackets": lambda value: f"({-value:,f})" if value < 0 else f"{value:,f}",
    "code": lambda value: f"USD {value:,f}",
    "comma": lambda value: f"{value:,f}".translate(str.maketrans(",.", ".,")),
    "spaces": lambda value: f"{value:,f}".translate(str.maketrans(",.", "\u00a0,")),
}
DATES: dict[str, Callable[[date], str]] = {
    "ISO": str,
    "US": lambda day: f"{day:%m/%d/%Y}",
    "European": lambda day: f"{day:%d/%m/%Y}",
    "German": lambda day: f"{day:%d.%m.%Y}",
    "names": lambda day: f"{day:%b %d, %Y}",
}
TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")) | st.sampled_from(' ,;"\n'),
    min_size=1,
    max_size=12,
)
TEXT = TEXT.map(str.strip).filter(lambda text: not is_a_total("", "", text))
NAMED = TEXT.filter(lambda text: any(map(str.isalpha, text)))


@st.composite
def invoices(draw: st.DrawFn) -> tuple[str, list[Line]]:
    """Return a file with any spelling, order and format, and the lines that it has."""
    first = draw(st.dates(date(2019, 3, 1), date(2030, 1, 1))).replace(day=1)
    last = first.replace(day=28)
    lines = [
        Line(
            *("IV1", first, last, draw(st.sampled_from([SID, OTHER]) | NAMED)),
            *(draw(NAMED), draw(TEXT)),
            draw(st.none() | st.integers(0, 10**9).map(Decimal)),
            draw(st.decimals(-(10**9), 10**9, places=2)) + Decimal("0.00"),
            *("USD", draw(st.sampled_from(["usage", "tax", "credit", "fee"])), ""),
        )
        for _ in range(draw(st.integers(1, 6)))
    ]
    amount = AMOUNTS[draw(st.sampled_from(sorted(AMOUNTS)))]
    day = DATES[draw(st.sampled_from(sorted(DATES)))]
    columns = list(draw(st.permutations([*Line._fields[:-1], "other"])))
    names = {"account_sid": "account"}
    header = []
    for column in columns:
        known = NAMES.get(names.get(column, column), column).split()
        spelling = SPELLINGS[draw(st.sampled_from(sorted(SPELLINGS)))]
        header.append(spelling(draw(st.sampled_from(known))))
    file = io.StringIO()
    writer = csv.writer(file, delimiter=draw(st.sampled_from(",;\t")), quoting=csv.QUOTE_ALL)
    writer.writerow(header)
    for line in lines:
        cells = line._asdict()
        for column, value in cells.items():
            if isinstance(value, Decimal):
                cells[column] = amount(value) if column == "amount" else f"{value:f}"
            elif isinstance(value, date):
                cells[column] = day(value)
        writer.writerow(cells.get(column) for column in columns)
    return file.getvalue(), lines


@given(invoices())
def test_any_file_in_any_order_and_format_is_read(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[str, list[Line]]
) -> None:
    text, lines = drawn
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text(text, newline="")
    assert lines_of_all([path], Hints()) == lines


@given(st.binary(max_size=200) | TEXT.map(str.encode))
def test_any_content_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / NAME
    path.write_bytes(f"{HEADER}\n".encode() + content)
    with contextlib.suppress(InvoiceError):  # which names the file, in lines
        assert lines_of_all([path], Hints())


@pytest.fixture
def company() -> Company:
    return Company(
        today=date(2025, 10, 1), categories=60, late_fees={date(2025, 9, 1): Decimal("12.345")}
    )


def command(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tap_twilio_usage.invoice", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=clean_environment(),
    )


def test_the_command_reads_the_invoice_of_the_sandbox(tmp_path: Path, company: Company) -> None:
    options = ["--month=2025-09", "--today=2025-10-01", "--categories=60", f"--folder={tmp_path}"]
    assert sandbox(["invoice", *options, "--late-fee=2025-09=12.345"]) == 0
    written = invoice(company, date(2025, 9, 1))
    path = tmp_path / written.file_name
    assert path.read_bytes().decode() == written.csv()
    done = command(written.file_name, folder=tmp_path)
    assert done.returncode == 0
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert tuple(rows[0]) == Line._fields
    kinds = {"Service": "usage", "Taxes": "tax", "Credits": "credit", "Fees": "fee"}
    expected = [
        (
            *("IV1202509", "2025-09-01", "2025-09-30"),
            line.account.friendly_name if line.account else MAIN_SID,
            *(line.group, line.item, "" if line.quantity is None else f"{line.quantity:f}"),
            *(f"{line.amount:f}", "USD", kinds[line.category]),
        )
        for line in written.lines
    ]
    assert sorted(tuple(row.values())[:-1] for row in rows) == sorted(expected)
    summaries = len({(line.category, line.group, line.item) for line in written.lines})
    of_all = sum(line.account is None for line in written.lines)
    first, second = done.stderr.splitlines()
    assert first == (
        f"invoice: {written.file_name}: {len(rows)} lines; {summaries - of_all} summary rows and "
        "0 empty rows not counted"
    )
    assert second.endswith(f"total {written.total:,f} USD")

    done = command(written.file_name, "--output=lines.csv", folder=tmp_path)
    assert done.returncode == 0
    assert done.stdout == ""
    assert done.stderr.splitlines()[2] == f"invoice: {len(rows)} lines written to lines.csv"
    assert [row.name for row in tmp_path.glob("lines*")] == ["lines.csv"]


def test_the_command_fails_in_lines_and_writes_nothing(tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("\n".join([HEADER, *["Main,,,Calls,a,1,x", "Main,,,Calls,a,1,y"] * 15]))
    done = command(bad, "none.csv", "--month=2025-09", "--output=out.csv", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    assert lines[0] == f"invoice: {bad}: row 2: amount 'x' is not an amount"
    assert lines[-1] == "invoice: and 11 more problems"
    assert not (tmp_path / "out.csv").exists()
    done = command("none.csv", folder=tmp_path)
    assert done.stderr == "invoice: none.csv: cannot be read: No such file or directory\n"


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("--month=2025-13", "'2025-13' is not a month; use YYYY-MM"),
        ("--month=soon", "'soon' is not a month; use YYYY-MM"),
        ("--currency=dollars", "'dollars' is not a currency; use a code such as USD"),
    ],
)
def test_an_option_that_is_not_valid(tmp_path: Path, option: str, reason: str) -> None:
    done = command("x.csv", option, folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(reason)


def test_options_say_what_a_file_does_not(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('Account,Product,Price\nMain,Calls,"1,234"\n')
    done = command(
        *("x.csv", "--invoice-id=9", "--month=2025-09", "--currency=eur", "--decimal=comma"),
        folder=tmp_path,
    )
    assert done.stdout.splitlines()[1:] == ["9,2025-09-01,2025-09-30,Main,Calls,,,1.234,EUR,usage,"]
    done = command("x.csv", "--output=no/such/folder", "--month=2025-09", folder=tmp_path)
    assert done.returncode == 1


def test_an_output_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(f"{HEADER}\nMain,,,Calls,a,1,5.00\n")
    done = command(NAME, "--output=no/out.csv", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "invoice: no/out.csv cannot be written: No such file or directory"
    )


def test_the_sandbox_refuses_a_month_that_is_not_over(capsys: pytest.CaptureFixture[str]) -> None:
    assert sandbox(["invoice", "--month=2025-10", "--today=2025-10-31"]) == 1
    assert capsys.readouterr().err == "sandbox: the month 2025-10 is not over\n"
