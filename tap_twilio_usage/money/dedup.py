"""Every dollar once: which part of each row's price no more detailed row carries.

Twilio reports the same money at several levels of its hierarchy. A static list of "leaves"
cannot be right: a parent can hold money of its own, an account can lack the child rows, and
new categories come unannounced. So each day is worked out from its own rows, and whatever they
do not explain stays on the `totalprice` row. The shares of a day always sum to `totalprice`.

A false "inside" edge in the table costs almost nothing, for the clip at zero cancels it in the
remainder; a missing edge counts a row twice. When in doubt, the table has the edge.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from decimal import Decimal, localcontext
from itertools import combinations
from typing import NamedTuple

from tap_twilio_usage.money.amounts import EXACT, ZERO
from tap_twilio_usage.money.hierarchy import TOTAL, Hierarchy, normalise, shipped

ROUNDING_OF_A_ROW = Decimal("0.00005")
MOST_CANDIDATES_FOR_SETS = 14


class Share(NamedTuple):
    """What a row stands for in its scope, and the part of its price that counts."""

    role: str
    deduplicated_price: Decimal | None


def deduplicate(
    prices: Mapping[str, Decimal | None], hierarchy: Hierarchy | None = None
) -> dict[str, Share]:
    """Share out the price of `totalprice` among the categories of one scope.

    A scope is one account, one `includes_subaccounts`, one period and one currency, all rows of
    it. Gives one Share for every category; the shares sum to the price of `totalprice`, to the
    last digit. Where that row or its price is missing, every `deduplicated_price` is None.
    """
    hierarchy = hierarchy or shipped()
    with localcontext(EXACT):
        return _Scope(prices, hierarchy).shares()


def rounding(prices: Mapping[str, Decimal | None]) -> Decimal:
    """Give how far below zero the remainder can be by Twilio's own rounding of rows."""
    rows = sum(1 for name, price in prices.items() if price and normalise(name) != TOTAL)
    return ROUNDING_OF_A_ROW * (rows + 1)


class _Scope:
    def __init__(self, prices: Mapping[str, Decimal | None], hierarchy: Hierarchy) -> None:
        self.prices = prices
        self.hierarchy = hierarchy
        self.tolerance = rounding(prices)
        self.total = min((c for c in prices if normalise(c) == TOTAL), key=_plainest, default=None)
        self.reported = {normalise(category) for category in prices}
        repeating = hierarchy.overlaps | {TOTAL}
        self.overlaps = {c for c in prices if normalise(c) in repeating} - {self.total}
        self.counted = {
            category: price
            for category, price in prices.items()
            if price and category != self.total and category not in self.overlaps
        }
        self.rows: dict[str, str] = {}
        for category in self.counted:
            # Should a name come in two spellings, one of them holds the children.
            same = self.rows.setdefault(normalise(category), category)
            if same != category:
                self.rows[normalise(category)] = min(same, category, key=_plainest)
        self.parents = {category: self._parent(category) for category in self.counted}
        self.inside: defaultdict[str, Decimal] = defaultdict(Decimal)
        for category, parent in self.parents.items():
            if parent:
                self.inside[parent] += self.counted[category]
        self.own = {**self.counted, **{rollup: self._own(rollup) for rollup in self.inside}}

    def shares(self) -> dict[str, Share]:
        total = None if self.total is None else self.prices[self.total]
        if total is not None:
            excess = sum(self.own.values(), ZERO) - total
            if excess > self.tolerance:
                self._explain(excess)
        nothing = None if total is None else ZERO
        shares = dict.fromkeys(self.prices, Share("leaf", nothing))
        shares |= dict.fromkeys(self.overlaps, Share("overlap", nothing))
        for category, own in self.own.items():
            shares[category] = Share(self._role(category), None if total is None else own)
        if self.total is not None:
            remainder = None if total is None else total - sum(self.own.values(), ZERO)
            shares[self.total] = Share("total", remainder)
        return shares

    def _parent(self, category: str) -> str | None:
        """Climb to the nearest category above that holds money here; None is the total."""
        name = normalise(category)
        passed = {name}
        while True:
            name = self.hierarchy.above(name, self.reported)
            if name == TOTAL or name in passed:
                return None
            if name in self.rows:
                return self.rows[name]
            passed.add(name)

    def _own(self, rollup: str) -> Decimal:
        price = self.counted[rollup]
        own = price - self.inside[rollup]
        return own if price < 0 else max(ZERO, own)

    def _role(self, category: str) -> str:
        if category in self.overlaps:
            return "overlap"
        return "rollup" if category in self.inside else "leaf"

    def _explain(self, excess: Decimal) -> None:
        """Find the rows that count `excess` twice, if the numbers leave no choice."""
        rollup = self._rollup_that_holds(excess)
        if rollup:
            self.own[rollup] = max(ZERO, self.own[rollup] - excess)
            return
        for category in self._repetition_of(excess):
            self.own[category] = ZERO
            self.overlaps.add(category)

    def _rollup_that_holds(self, excess: Decimal) -> str | None:
        """Find the roll-up that a row counted beside it lies in: an edge the table lacks."""
        amounts = {category: self.own[category] for category in self.inside}
        equal = [c for c, amount in amounts.items() if self._is(amount, excess)]
        if len(equal) == 1:
            return equal[0]
        large = [c for c, amount in amounts.items() if amount >= excess]
        beside = (self.counted[c] for c in self._top_level() if c not in large)
        if len(large) == 1 and any(self._is(price, excess) for price in beside):
            return large[0]
        return None

    def _repetition_of(self, excess: Decimal) -> Collection[str]:
        """Find the only set of up to three doubtful rows that adds up to the excess."""
        confidence = {c: self.hierarchy.confidence(normalise(c)) for c in self.counted}
        unknown = [c for c, sure in confidence.items() if sure == "inferred"]
        doubtful = [c for c in self._top_level() if confidence[c] != "high"]
        for candidates in (unknown, doubtful):
            amounts = {c: self.own[c] for c in candidates if self.own[c] > 0}
            sizes = (1, 2, 3) if len(amounts) <= MOST_CANDIDATES_FOR_SETS else (1,)
            for size in sizes:
                fitting = [
                    rows
                    for rows in combinations(sorted(amounts), size)
                    if self._is(sum((amounts[row] for row in rows), ZERO), excess)
                ]
                if fitting:
                    return fitting[0] if len(fitting) == 1 else ()
        return ()

    def _top_level(self) -> list[str]:
        return [category for category, parent in self.parents.items() if parent is None]

    def _is(self, amount: Decimal, excess: Decimal) -> bool:
        return amount > self.tolerance and abs(amount - excess) <= self.tolerance


def _plainest(category: str) -> tuple[bool, str]:
    return (category != normalise(category), category)
