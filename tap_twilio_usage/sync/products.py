"""The products of one billing group, so that the rows of one that is gone are set to zero.

Twilio lists the products that a period used, and renames some. A period that is read again and does
not list a product any more would leave its old row in the target, beside the one of the new name.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from tap_twilio_usage.logs.wording import Logger, some
from tap_twilio_usage.money.amounts import ZERO
from tap_twilio_usage.money.parsers import Record
from tap_twilio_usage.sync.state import BillingGroupState
from tap_twilio_usage.twilio.periods import Window, merged


class Products:
    """What the state of a billing group remembers of the rows in the target."""

    def __init__(self, state: BillingGroupState, lookback_days: int) -> None:
        """Take the state."""
        self._state = state
        self._lookback_days = lookback_days
        self._emitted = tuple(state.products)  # by earlier runs
        self._listed = dict(state.product_days)
        self._renamed: dict[tuple[str, str], list[Window]] = {}
        self._gone: dict[tuple[str, str], list[Window]] = {}
        days = state.bookmark, state.last_rows, state.reading_up_to
        self._loaded = max(filter(None, days), default=None)  # the last period with rows to replace

    def add_withdrawn(self, period: Window, rows: list[Record]) -> list[Record]:
        """Return the rows of a period, with zeros for each product that it does not list any more.

        If the period was loaded so long ago that its products are not known, for each other product
        of the group. If it lists none at all, Twilio has not answered for it: its rows stay.
        """
        if not rows:
            return rows
        known = self._listed.get(f"{period.start}")
        if known is not None:
            before = [each for n, each in enumerate(self._emitted) if int(known, 16) >> n & 1]
        elif self._loaded is None or period.start > self._loaded:
            return rows
        else:
            before = [*self._emitted]
        listed = {*map(_product, rows)}
        gone = sorted({*before} - listed)
        found = self._renamed if listed - {*before} else self._gone
        for product in gone if known is not None else ():
            found[product] = merged([*found.get(product, []), period])
        unit = next((row["price_unit"] for row in rows), None)
        return [*rows, *(_zero(category, name, period, unit) for category, name in gone)]

    def end(self, name: str, logger: Logger) -> None:
        """Log the products that periods listed before and do not list any more.

        One that is new to a period may be the new name; without any, the money is gone. Until they
        are logged, the state says that these periods list them: after a killed run, the next one
        finds them again.
        """
        for (_, product), windows in sorted(self._renamed.items()):
            logger.info(
                "%s: Twilio no longer lists product %r for %s; its rows are set to zero",
                name,
                product,
                some([*map(str, windows)]),
            )
        for (_, product), windows in sorted(self._gone.items()):
            logger.warning(
                "%s: Twilio no longer lists product %r for %s, and no new one instead; its rows "
                "are set to zero",
                name,
                product,
                some([*map(str, windows)]),
            )
        days = self._state.product_days
        for day, bits in days.items():
            gone = self._gone_from(date.fromisoformat(day))
            days[day] = f"{int(bits, 16) & ~self._bits(gone):x}"

    def were_listed(self, period: Window) -> bool:
        """Return whether the period had any product when an earlier run read it."""
        return f"{period.start}" in self._listed

    def record(self, rows: list[Record]) -> bool:
        """Put the products of the rows into the state. Return whether any was new.

        The state is to be written before the rows go out.
        """
        known = set(self._state.products)
        products = set(map(_product, rows))
        if products <= known:
            return False
        self._state.products = [*self._state.products, *sorted(products - known)]
        return True

    def note_loaded(self, period: Window, listed: list[Record]) -> None:
        """Note what the target has of a period; forget the periods that no run reads again.

        Those are the ones before the lookback that are not missing.
        """
        state = self._state
        if listed:
            state.last_rows = max(state.last_rows or period.start, period.start)
            bits = self._bits({*map(_product, listed), *self._gone_from(period.start)})
            days = {**state.product_days, f"{period.start}": f"{bits:x}"}
            newest = sorted(days)[-self._lookback_days - 1 :]
            missing = [day for day in days if self._is_missing(date.fromisoformat(day))]
            state.product_days = {day: days[day] for day in sorted({*newest, *missing})}

    def _bits(self, products: Collection[tuple[str, str]]) -> int:
        return sum(1 << n for n, each in enumerate(self._state.products) if each in products)

    def _gone_from(self, day: date) -> set[tuple[str, str]]:
        gone = (*self._renamed.items(), *self._gone.items())
        return {product for product, windows in gone if any(day in each for each in windows)}

    def _is_missing(self, day: date) -> bool:
        return any(day in window for window in self._state.missing_days)


def _product(row: Record) -> tuple[str, str]:
    return row["product_category"], row["product_name"]


def _zero(category: str, name: str, period: Window, price_unit: str | None) -> Record:
    return {
        "as_of": None,
        "product_name": name,
        "product_category": category,
        "start_date": period.start,
        "end_date": period.end,
        "usage": ZERO,
        "usage_unit": None,
        "price": ZERO,
        "price_unit": price_unit,
    }
