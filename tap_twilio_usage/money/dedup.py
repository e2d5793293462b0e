"""Count every dollar once: the part of each row's price that no more detailed row carries.

Twilio reports the same money at several levels of its hierarchy. A static list of "leaves"
cannot be right: a parent can hold money of its own, an account can lack the child rows, and
new categories come unannounced. So each day is worked out from its own rows, and whatever they
do not explain stays on the `totalprice` row. The shares of a day always sum to `totalprice`.

The hierarchy is not a tree. An overlap is a row of one family that repeats money of another one:
`authy-sms-outbound` is part of `account-security`, and counts in `sms-outbound`. It counts
nothing itself, but its price is subtracted in its own family. Where Twilio reports one charge
under an old and a new name, the table makes one name the parent of the other.

A parent that is wrong in the table costs little, because a roll-up never counts less than zero;
a parent that is missing counts a row twice. When in doubt, the table has the parent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal, localcontext
from itertools import combinations
from typing import NamedTuple

from tap_twilio_usage.money.amounts import EXACT, ZERO
from tap_twilio_usage.money.hierarchy import TOTAL, Hierarchy, normalise, shipped

ROUNDING_OF_A_ROW = Decimal("0.00005")
MOST_CANDIDATES_FOR_SETS = 14
CONFIDENCE = ("high", "medium", "low", "inferred")

Prices = Mapping[str, Decimal | None]
Quantities = Callable[[], Mapping[str, tuple[Decimal | None, Decimal | None]]]


class Share(NamedTuple):
    """The role of a row in its scope, and the part of its price that counts."""

    role: str
    deduplicated_price: Decimal | None


def deduplicate(
    prices: Prices, hierarchy: Hierarchy | None = None, *, quantities: Quantities | None = None
) -> dict[str, Share]:
    """Return the share of each category in the price of `totalprice`, for one scope.

    A scope is all rows of one account, one `includes_subaccounts`, one period and one currency.
    The result has one Share for each category. The shares sum to the price of `totalprice`, to
    the last digit; if there is no such row or it has no price, every `deduplicated_price` is None.

    `quantities` returns the count and the usage of each category. It is optional, and called only
    if the rows hold more than the total, to find one charge under two names that the table lacks.
    """
    hierarchy = hierarchy or shipped()
    with localcontext(EXACT):
        if not has_only_refunds(prices):
            return _Scope(prices, hierarchy, quantities).shares()
        mirrored = {category: _negative(price) for category, price in prices.items()}
        shares = _Scope(mirrored, hierarchy, quantities).shares()
        return {category: Share(role, _negative(own)) for category, (role, own) in shares.items()}


def rounding(prices: Prices) -> Decimal:
    """Return how far below zero the remainder can be because Twilio rounds each row."""
    return _rounding(sum(1 for c, price in prices.items() if price and normalise(c) != TOTAL))


def has_only_refunds(prices: Prices) -> bool:
    """Return whether a price is below zero and none is above."""
    return not any(price and price > 0 for price in prices.values()) and any(prices.values())


class _Scope:
    """The rows of a scope, the row that each one lies in, and what each one counts."""

    def __init__(self, prices: Prices, hierarchy: Hierarchy, quantities: Quantities | None) -> None:
        self.prices, self.hierarchy, self.quantities = prices, hierarchy, quantities
        self.names = {category: normalise(category) for category in prices}
        self.reported = set(self.names.values())
        special_names = hierarchy.overlaps | {TOTAL}
        special = [category for category, name in self.names.items() if name in special_names]
        totals = {category for category in special if self.names[category] == TOTAL}
        self.total = min(totals, key=_plainest, default=None)
        self.priced = {c: price for c, price in prices.items() if price and c not in totals}
        self.tolerance = _rounding(len(self.priced))
        # If a name comes in two spellings, only one of the rows can have children.
        self.rows = {self.names[category]: category for category in sorted(self.priced)}
        self.overlaps = {c for c in special if c not in totals and self._repeats(self.names[c])}
        self.children: defaultdict[str | None, list[str]] = defaultdict(list)
        for category in self.priced:
            self.children[self._parent(category)].append(category)
        self.own = self._own()
        # A second spelling of totalprice repeats the first one.
        self.overlaps |= totals - {self.total}

    def shares(self) -> dict[str, Share]:
        total = None if self.total is None else self.prices[self.total]
        if total is not None:
            excess = sum(self.own.values(), ZERO) - total
            if excess > self.tolerance:
                self._explain(excess)
        nothing = None if total is None else ZERO
        shares = dict.fromkeys(self.prices, Share("leaf", nothing))
        for category, own in self.own.items():
            role = "rollup" if category in self.children else "leaf"
            shares[category] = Share(role, None if total is None else own)
        shares |= dict.fromkeys(self.overlaps, Share("overlap", nothing))
        if self.total is not None:
            remainder = None if total is None else total - sum(self.own.values(), ZERO)
            shares[self.total] = Share("total", remainder)
        return shares

    def _repeats(self, name: str) -> bool:
        """Return whether another row counts the money of this one.

        An overlap is one only if the row that it repeats holds money or, where the overlap is
        certain, a row that contains that one.
        """
        row = self.hierarchy.categories[name]
        if row.confidence == "high":
            return any(map(self._nearest, row.also_included_in))
        return any(other in self.rows for other in row.also_included_in)

    def _parent(self, category: str) -> str | None:
        """Return the row that this one lies in; None for the total.

        An overlap lies in a row of its own family. What lies in an overlap lies in the row that
        the overlap repeats.
        """
        parent = self._nearest(self.hierarchy.parent(self.names[category], self.reported))
        if parent not in self.overlaps or category in self.overlaps:
            return parent
        return self._nearest(self.hierarchy.categories[self.names[parent]].also_included_in[0])

    def _nearest(self, name: str | None) -> str | None:
        """Return the row of the category or, if it holds no money, of the nearest one above."""
        passed: list[str] = []
        while name and name not in passed:
            if name in self.rows:
                return self.rows[name]
            passed.append(name)
            name = self.hierarchy.parent(name, self.reported)
        return None

    def _own(self) -> dict[str, Decimal]:
        """Return what each row counts: its price without what the rows below it hold."""
        own = {c: price for c, price in self.priced.items() if c not in self.overlaps}
        held = dict(self.priced)
        rollups = [c for c in self.children[None] if c in self.children]
        for rollup in rollups:
            rollups += [c for c in self.children[rollup] if c in self.children]
        # From the bottom up, so that what a row holds includes what its own children exceed it by.
        for rollup in reversed(rollups):
            if rollup not in self.overlaps:
                below = sum(map(held.__getitem__, self.children[rollup]), ZERO)
                price = own[rollup]
                own[rollup] = price - below if price < 0 else max(ZERO, price - below)
                held[rollup] = own[rollup] + below
        return own

    def _explain(self, excess: Decimal) -> None:
        """Find the rows that count `excess` twice, if the numbers allow only one answer."""
        rollup = self._rollup_that_holds(excess)
        if rollup:
            self.own[rollup] = max(ZERO, self.own[rollup] - excess)
            return
        for category in self._repetition_of(excess):
            self.own[category] = ZERO
            self.overlaps.add(category)

    def _rollup_that_holds(self, excess: Decimal) -> str | None:
        """Return the roll-up that includes a row which the table does not place in it."""
        amounts = {c: amount for c, amount in self.own.items() if c in self.children}
        equal = [c for c, amount in amounts.items() if self._is(amount, excess)]
        if len(equal) == 1:
            return equal[0]
        large = [c for c, amount in amounts.items() if amount >= excess]
        beside = {*self.children[None], *self.overlaps & self.priced.keys()}.difference(large)
        if len(large) == 1 and any(self._is(self.priced[c], excess) for c in beside):
            return large[0]
        return None

    def _repetition_of(self, excess: Decimal) -> Collection[str]:
        """Return the only set of up to three doubtful rows that adds up to the excess."""
        unknown = [c for c in self.own if self._confidence(c) == "inferred"]
        doubtful = [c for c in self.children[None] if self._confidence(c) != "high"]
        twins = self._twins()
        for candidates in (unknown, doubtful, twins):
            amounts = {c: self.own[c] for c in candidates if self.own.get(c, ZERO) > 0}
            sizes = (1, 2, 3) if len(amounts) <= MOST_CANDIDATES_FOR_SETS else (1,)
            for size in sizes:
                fitting = [
                    rows
                    for rows in combinations(sorted(amounts), size)
                    if self._is(sum((amounts[row] for row in rows), ZERO), excess)
                ]
                if fitting:
                    # Of two names of one charge it does not matter which one is left out.
                    fitting = [rows for rows in fitting if twins.issuperset(rows)] or fitting
                    return fitting[0] if len(fitting) == 1 else ()
        return ()

    def _twins(self) -> set[str]:
        """Return the leaves that equal another one in price, count and usage.

        Of leaves that are equal, all are returned but the one whose place is the surest.
        """
        equal = defaultdict(list)
        for category, quantity in (self.quantities() if self.quantities else {}).items():
            if category in self.own and category not in self.children and None not in quantity:
                equal[self.own[category], quantity].append(category)
        return {
            category
            for leaves in equal.values()
            for category in sorted(
                leaves, key=lambda c: (CONFIDENCE.index(self._confidence(c)), c)
            )[1:]
        }

    def _confidence(self, category: str) -> str:
        return self.hierarchy.confidence(self.names[category])

    def _is(self, amount: Decimal, excess: Decimal) -> bool:
        return amount > self.tolerance and abs(amount - excess) <= self.tolerance


def _rounding(rows: int) -> Decimal:
    return ROUNDING_OF_A_ROW * (rows + 1)


def _negative(price: Decimal | None) -> Decimal | None:
    return None if price is None else -price


def _plainest(category: str) -> tuple[bool, str]:
    return (category != normalise(category), category)
