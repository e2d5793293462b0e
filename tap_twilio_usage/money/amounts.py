"""Exact arithmetic with amounts of money and usage."""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, InvalidOperation

ZERO = Decimal(0)
# More digits than any price has: a sum is exact or an error, never rounded.
EXACT = Context(prec=1000, traps=[Inexact, InvalidOperation])
