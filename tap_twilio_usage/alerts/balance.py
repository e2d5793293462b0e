"""How long a balance lasts at the present pace. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

DAYS = 7  # of which the mean is the pace


class Lasting(NamedTuple):
    """A balance, what is spent of it a day, and for how many days it lasts; None: for ever."""

    account: str
    currency: str
    balance: Decimal
    a_day: Decimal
    days: Decimal | None
    retrieved_on: Any


def lasting(
    balances: Iterable[Any], spent: Iterable[Any], owners: Mapping[str, str | None]
) -> Iterator[Lasting]:
    """Yield how long each balance lasts.

    `spent` is what each account spent in the last days. If there is one balance, all of it is spent
    of this one; else that of a subaccount is spent of its owner's.
    """
    balances = list(balances)
    sums: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    only = balances[0].account_sid if len({each.account_sid for each in balances}) == 1 else None
    for row in spent:
        payer = only or owners.get(row.account_sid) or row.account_sid
        sums[payer, (row.price_unit or "").upper()] += Decimal(str(row.spent or 0))
    for row in balances:
        currency = (row.currency or "").upper()
        a_day = sums[row.account_sid, currency] / DAYS
        balance = Decimal(str(row.balance))
        days = max(balance, Decimal(0)) / a_day if a_day > 0 else None
        yield Lasting(row.account_sid, currency, balance, a_day, days, row.retrieved_on)
