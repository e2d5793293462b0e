"""What the log says of one account: how far it is, and at the end the reconciliation."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal, localcontext

from tap_twilio_usage.account import Account
from tap_twilio_usage.attribution import unit
from tap_twilio_usage.dedup import EXACT
from tap_twilio_usage.records import UsageRecord
from tap_twilio_usage.windows import Window

SAY_HOW_FAR_EVERY = 30.0  # seconds


class Progress:
    """Counts the days of a window as they are emitted."""

    def __init__(self, logger: logging.Logger, account: Account, window: Window) -> None:
        """Begin at the window's first day."""
        self._logger = logger
        self._account = account
        self._window = window
        self._said = time.monotonic()
        self._rows = 0
        self._sums: defaultdict[str, _Sums] = defaultdict(_Sums)

    def begin(self, requests: int) -> None:
        """Say what is going to be read."""
        self._logger.info(
            "%s, subaccounts %s: %s, %d days in %d requests or more",
            self._account.sid,
            "included" if self._account.includes_subaccounts else "excluded",
            self._window,
            self._window.days,
            requests,
        )

    def add(self, day: date, rows: Sequence[UsageRecord], emitted: int) -> None:
        """Count a period that ends on the day; say how far it is from time to time."""
        self._rows += emitted
        with localcontext(EXACT):
            for row in rows:
                if row.price or row.deduplicated_price:
                    self._sums[unit(row) or "no currency"].add(row)
        if time.monotonic() - self._said >= SAY_HOW_FAR_EVERY:
            self._said = time.monotonic()
            self._logger.info(
                "%s: %d of %d days, up to %s, %d rows",
                self._account.sid,
                Window(self._window.start, day).days,
                self._window.days,
                day,
                self._rows,
            )

    def end(self) -> None:
        """Say what was read and that it reconciles."""
        self._logger.info(
            "%s: done, %d days, %d rows", self._account.sid, self._window.days, self._rows
        )
        for currency, sums in sorted(self._sums.items()):
            if sums.total or sums.naive:
                self._logger.info(
                    "%s, %s: totalprice %s, deduplicated %s, of that %s in no category; the prices "
                    "of all categories add up to %s",
                    self._account.sid,
                    currency,
                    sums.total,
                    sums.deduplicated,
                    sums.unattributed,
                    sums.naive,
                )


class _Sums:
    def __init__(self) -> None:
        self.total = self.deduplicated = self.unattributed = self.naive = Decimal(0)

    def add(self, row: UsageRecord) -> None:
        price, share = row.price or 0, row.deduplicated_price or 0
        self.deduplicated += share
        if row.dedup_role == "total":
            self.total += price
            self.unattributed += share
        else:
            self.naive += price
