"""Exact decimal arithmetic."""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, InvalidOperation

ZERO = Decimal(0)
# More digits than any price has, so that a sum is exact or an error, and never rounded.
EXACT = Context(prec=1000, traps=[Inexact, InvalidOperation])
