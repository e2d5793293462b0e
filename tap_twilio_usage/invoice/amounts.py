"""Amounts as spreadsheets and invoices write them, read as exact decimals."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

from tap_twilio_usage.money import parsers

SPACES = re.compile(r"[\s\u00a0\u2007\u2009\u202f'\u2019]")  # those that group thousands too
MINUS = str.maketrans("\u2212\u2012\u2013", "---")
CURRENCY = r"(?:(?P<{0}>[A-Za-z]{{3}})|(?:US|CA|A)?[$\u20ac\u00a3\u00a5])?"
WHOLE = re.compile(
    rf"(?P<open>\()?(?P<minus>-)?{CURRENCY.format('before')}(?P<inner>[-(])?"
    rf"(?P<number>[\d.,]+){CURRENCY.format('after')}(?P<last>-)?(?P<close>\))?"
)
PLAIN = re.compile(r"\d+|\d*[.,]\d+|\d+[.,]")
GROUPED = re.compile(r"[1-9]\d{0,2}((,\d{3})+(\.\d*)?|(\.\d{3})+(,\d*)?)")

POINT, COMMA = ".", ","
NAMES = {POINT: "point", COMMA: "comma"}


def decimal_sign(text: str) -> str | None:
    """Return the sign that must be the decimal one in an amount, or None if it may be either.

    "1,234" may be either: of one sign with three digits after it, only other amounts can tell.
    """
    match = WHOLE.fullmatch(_compact(text))
    number = match["number"] if match else ""
    signs = [each for each in number if each in NAMES]
    if not signs:
        return None
    if signs[0] != signs[-1]:
        return signs[-1]
    if len(signs) > 1:
        return COMMA if signs[0] == POINT else POINT
    whole, _, decimals = number.partition(signs[0])
    can_be_a_group = len(decimals) == 3 and 1 <= len(whole) <= 3 and whole[0] != "0"  # noqa: PLR2004
    return None if can_be_a_group else signs[0]


def common_sign(texts: Iterable[str]) -> str | None:
    """Return the decimal sign of a file's amounts, None if none of them tells.

    Raises ValueError if they contradict each other.
    """
    found = {sign: text for text in texts if (sign := decimal_sign(text))}
    if len(found) > 1:
        raise ValueError(f"{found[POINT]!r} has a decimal point and {found[COMMA]!r} a comma")
    return next(iter(found), None)


def amount(text: str, sign: str | None) -> tuple[Decimal, str | None]:
    """Return the exact amount and the currency code that is written with it.

    Raises ValueError, with a reason that follows the amount in a sentence.
    """
    match = WHOLE.fullmatch(_compact(text))
    opened = [match["open"], match["inner"]].count("(") if match else 0
    if not match or opened != bool(match["close"]):
        raise ValueError("is not an amount")
    minuses = sum(bool(match[name]) for name in ("open", "minus", "inner", "last"))
    if minuses > 1:
        raise ValueError("is not an amount")
    number = match["number"]
    decimal = decimal_sign(text) or sign
    if decimal is None and any(each in NAMES for each in number):
        raise ValueError("can be thousands or a fraction; use --decimal point or --decimal comma")
    if not (PLAIN.fullmatch(number) or GROUPED.fullmatch(number)):
        raise ValueError("is not an amount")
    group = COMMA if decimal == POINT else POINT
    plain = number.replace(group, "").replace(COMMA, ".")
    value = parsers.price(("-" if minuses else "") + plain)
    code = match["before"] or match["after"]
    return value or Decimal(0), code.upper() if code else None


def _compact(text: str) -> str:
    return SPACES.sub("", text.translate(MINUS))
