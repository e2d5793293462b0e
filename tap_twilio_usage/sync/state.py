"""The Singer state as typed structures. Pure.

As JSON it is `{"bookmarks": {"usage_records_daily": {"partitions": [{"context": {"account_sid":
"AC...", "includes_subaccounts": true}, "replication_key": "start_date", "replication_key_value":
"2026-01-31", "first_day": "2026-01-01", "used_categories": ["calls", ...]}]}}}`. A partition is
the state of one account or one billing group.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, TypeVar

import msgspec

from tap_twilio_usage.money.amounts import ZERO
from tap_twilio_usage.money.parsers import canonical_sid
from tap_twilio_usage.twilio.periods import DAY, EARLIEST, LATEST, Window, merged, without_all

REPLICATION_KEY = "start_date"
BOOKMARK = "replication_key_value"


class AccountContext(msgspec.Struct, frozen=True):
    """The context of a partition of usage records."""

    account_sid: str
    includes_subaccounts: bool

    def __post_init__(self) -> None:
        """Write the SID as everywhere else, whatever wrote the state."""
        msgspec.structs.force_setattr(self, "account_sid", canonical_sid(self.account_sid))


class BillingGroupContext(msgspec.Struct, frozen=True):
    """The context of a partition of billing group records."""

    billing_group_id: str


class ReadDays(msgspec.Struct, omit_defaults=True):
    """Checksums of the sums of all days up to `day` and `before` it, when they were last read."""

    day: date
    read_on: date
    before: str = ""
    upto: str = ""
    # What all days before a day added up to, by that day.
    bases: dict[str, str] = {}


class BilledDays(msgspec.Struct, omit_defaults=True):
    """The FOCUS rows that the target has: a checksum for each of the newest days."""

    days: dict[str, str] = {}
    up_to: date | None = None  # the last complete day, in states of version 0.1.0


class History(msgspec.Struct, omit_defaults=True):
    """How AllTime compares with the sum of all days since the `first` one."""

    first: date
    # What all days before have; None until it was asked for.
    before: Decimal | None = None
    # Since when AllTime has more, and how much it had in every run since.
    more_since: date | None = None
    more: Decimal = ZERO
    # Since when it has the same amount more.
    same_since: date | None = None
    same: Decimal = ZERO
    # What the log has said, and what of it was a warning.
    said: Decimal = ZERO
    warned: Decimal = ZERO
    # And of what AllTime has less, what the log has said.
    less: Decimal = ZERO
    # When the days that no run reads again were asked for, and how much less they have since.
    looked: date | None = None
    lowered: Decimal = ZERO
    # Since when every comparison has failed, or since the log has warned of that.
    uncompared_since: date | None = None


class PeriodState(msgspec.Struct, omit_defaults=True, kw_only=True):
    """How far a partition was read. Each day is the first day of a period."""

    replication_key: str | None = None
    # The last period that was emitted completely.
    bookmark: date | None = msgspec.field(default=None, name=BOOKMARK)
    # The first day that was ever read.
    first_day: date | None = None
    # After a change of `subaccounts`, all days up to this one are read regardless of `start_date`.
    catch_up_to: date | None = None
    # The start_date of the earliest load, which may be before there was anything to load.
    asked_since: date | None = None
    # The first and the newest period that had any record.
    first_rows: date | None = None
    last_rows: date | None = None
    # The days without any record though there should be some; asked for until they have.
    missing_days: list[Window] = []
    # Those of missing_days that the log has named.
    logged_days: list[Window] = []
    # Up to this period it is unknown which rows the target has, after an interrupted run.
    reading_up_to: date | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a day that is out of the range for date arithmetic."""
        for field in self.__struct_fields__:
            value = getattr(self, field)
            if isinstance(value, date) and not EARLIEST <= value <= LATEST:
                name = BOOKMARK if field == "bookmark" else field
                raise ValueError(f"{name} is not a valid date")

    @property
    def unlogged_days(self) -> list[Window]:
        """The missing days that the log has not named, because a run did not get to its end."""
        return without_all(self.missing_days, self.logged_days)

    def advance(self, day: date) -> None:
        """Move the bookmark to a period that was emitted completely. It never moves back."""
        if self.bookmark is None or day > self.bookmark:
            self.replication_key, self.bookmark = REPLICATION_KEY, day
        if self.catch_up_to and self.bookmark >= self.catch_up_to:
            self.catch_up_to = None
        if self.reading_up_to and self.bookmark >= self.reading_up_to:
            self.reading_up_to = None


class BillingGroupState(PeriodState, kw_only=True):
    """The state of one billing group."""

    context: BillingGroupContext
    # The products (category and name) that had rows, in the order in which they were found. And for
    # each period, a bit for each of them that it listed: the first one is the lowest.
    products: list[tuple[str, str]] = []
    product_days: dict[str, str] = {}


class AccountState(PeriodState, kw_only=True):
    """The state of one account, with or without its subaccounts."""

    context: AccountContext
    # The categories that have rows: all their later rows are emitted, including zero rows.
    used_categories: list[str] | None = None
    main_account_sid: str | None = None  # of a subaccount
    account_name: str | None = None
    # The bookmark before the rows of a subaccount were set to zero.
    last_day: date | None = None
    # The last day whose rows of a subaccount were set to zero.
    withdrawn: date | None = None
    older_days: ReadDays | None = None
    # Of `usage_reconciliation`: the currencies of its rows, and the first day that Daily must have.
    price_units: list[str] = []
    first_expected: date | None = None
    # And of those of its months that do not agree with their days, what the log has said.
    logged_months: list[str] = []
    billed: BilledDays | None = None
    # The used categories that the newest day does not list any more, with the first such day. Those
    # that the first day did not list, with the first one that did; LATEST if none has. And the days
    # without a category that the log has named. And how many days a category had been gone when the
    # log said so.
    unlisted: dict[str, date] = {}
    listed_since: dict[str, date] = {}
    logged_gaps: dict[str, list[Window]] = {}
    late_by: dict[str, int] = {}
    # The days that the log has named because of what of them is in no category.
    logged_remainders: list[Window] = []
    # The days on which the next run may begin, with the sum of all counted days before; and how
    # these days compare with AllTime.
    sums: dict[date, Decimal] = {}
    history: History | None = None
    # Of `usage_records_all_time`: the days on which the rows in the target begin.
    first_days: list[date] = []
    # The days whose rows were emitted without FOCUS rows since; None if that was never decided.
    days_without_focus: list[Window] | None = None

    def __post_init__(self) -> None:
        """Write the main account's SID as everywhere else."""
        super().__post_init__()
        if self.main_account_sid:
            self.main_account_sid = canonical_sid(self.main_account_sid)

    @property
    def name(self) -> str:
        """What the log calls it."""
        return self.context.account_sid

    def begin(self, day: date) -> None:
        """Record the first day that is read, before its first row is emitted."""
        self.first_day = min(self.first_day or day, day)
        self.withdrawn = None

    @property
    def incomplete_since(self) -> date | None:
        """The day since which days are missing if the account is not read again; None for all.

        The period of the bookmark may have been read before it was over.
        """
        is_withdrawn = self.withdrawn or self.last_day
        return self.bookmark or (None if is_withdrawn else self.last_rows) or self.first_day

    def find_days_without_focus(self) -> list[Window]:
        """Return the days that were loaded without FOCUS, which are to be loaded again with it."""
        if self.days_without_focus is None:
            last = self.billed and self.billed.up_to
            first, bookmark = last + DAY if last else self.first_day, self.bookmark
            self.days_without_focus = []
            if first and bookmark and first <= bookmark:
                self.days_without_focus = [Window(first, bookmark)]
        return self.days_without_focus

    def note_days_without_focus(self, days: Iterable[Window]) -> None:
        """Note that these days are loaded without FOCUS, if others were loaded with it."""
        if self.billed or self.days_without_focus is not None:
            self.days_without_focus = merged([*self.find_days_without_focus(), *days])

    def catch_up(self, day: date) -> None:
        """Require that all days from the first one to this one are read, in this run or later."""
        self.catch_up_to = max(self.catch_up_to or day, day)

    @property
    def is_partly_withdrawn(self) -> bool:
        """Whether the rows of some days have still to be set to zero."""
        return bool(self.last_day and (not self.withdrawn or self.withdrawn < self.last_day))

    def last_loaded_day(self) -> date | None:
        """Return the last day for which the target may have rows; None if there is none."""
        days = self.bookmark, self.catch_up_to, self.last_day, self.last_rows
        return max(filter(None, days), default=None)


class StreamState(msgspec.Struct, omit_defaults=True):
    """The state of a stream. Streams other than those of periods have no partitions."""

    partition_type: ClassVar[type[PeriodState]] = AccountState
    context_type: ClassVar[type[msgspec.Struct]] = AccountContext
    owner: ClassVar[str] = "account"
    partitions: list[Any] = []


T = TypeVar("T")


def _by_canonical_sid(found: dict[str, T]) -> dict[str, T]:
    return {canonical_sid(sid): each for sid, each in found.items()}


class UsageState(StreamState):
    """The state of a stream of usage records."""

    partitions: list[AccountState] = []
    # Set during a run: up to this day it is unknown which rows the target has.
    reading_up_to: date | None = None
    # With many accounts, whose states are written less often: the used categories of all.
    used_categories: list[str] = []
    # The days in which the spend of a main account with its subaccounts was compared with that of
    # each, by its SID.
    compared: dict[str, Window] = {}
    # The day on which its subaccounts were compared with those that have a connection, by its SID.
    connections_compared: dict[str, date] = {}
    # The days for which a main account that includes its subaccounts was compared with them, by
    # its SID.
    inclusion_compared: dict[str, Window] = {}
    # Set during a run with FOCUS: up to this day it is unknown which FOCUS rows the target has.
    billed_up_to: date | None = None

    def __post_init__(self) -> None:
        """Write the SIDs as everywhere else."""
        self.compared = _by_canonical_sid(self.compared)
        self.connections_compared = _by_canonical_sid(self.connections_compared)
        self.inclusion_compared = _by_canonical_sid(self.inclusion_compared)

    def of(self, context: AccountContext) -> AccountState:
        """Return the state for the context; a new one if there is none."""
        for partition in self.partitions:
            if partition.context == context:
                return partition
        self.partitions.append(AccountState(context=context))
        return self.partitions[-1]


class BillingState(StreamState):
    """The state of a stream of billing groups."""

    partition_type = BillingGroupState
    context_type = BillingGroupContext
    owner = "billing group"
    partitions: list[BillingGroupState] = []

    def of(self, context: BillingGroupContext) -> BillingGroupState:
        """Return the state for the context; a new one if there is none."""
        for partition in self.partitions:
            if partition.context == context:
                return partition
        self.partitions.append(BillingGroupState(context=context))
        return self.partitions[-1]


def type_of(stream: str) -> type[StreamState]:
    """Return the type of the state of a stream, by the stream's name."""
    if stream.startswith(("usage_records_", "usage_reconciliation")):
        return UsageState
    return BillingState if stream.startswith("billing_group_records") else StreamState


class State:
    """The state of all streams."""

    def __init__(self, bookmarks: Mapping[str, StreamState] | None = None) -> None:
        """Take the states of streams by name; none of a first load."""
        self._bookmarks = {**(bookmarks or {})}

    def __bool__(self) -> bool:
        """Return whether the state has any stream."""
        return bool(self._bookmarks)

    def usage(self, stream: str) -> UsageState:
        """Return the state of a stream of usage records."""
        state = self.of(stream)
        assert isinstance(state, UsageState)  # noqa: S101  (for the type checker)
        return state

    def billing(self, stream: str) -> BillingState:
        """Return the state of a stream of billing groups."""
        state = self.of(stream)
        assert isinstance(state, BillingState)  # noqa: S101  (for the type checker)
        return state

    def subaccounts(self, main_account_sid: str) -> dict[str, date | None]:
        """Return the subaccounts of a main account that were read, and their `incomplete_since`.

        That is the latest one of all streams: the longer a period, the earlier its first day.
        """
        found: dict[str, date | None] = {}
        for stream in self._bookmarks.values():
            for each in stream.partitions if isinstance(stream, UsageState) else ():
                if each.main_account_sid == main_account_sid:
                    sid = each.context.account_sid
                    days = found.get(sid), each.incomplete_since
                    found[sid] = max(filter(None, days), default=None)
        return found

    def of(self, stream: str) -> StreamState:
        """Return the state of a stream; add an empty one to the state if there is none."""
        return self._bookmarks.setdefault(stream, type_of(stream)())

    def message(self, streams: Iterable[str] = ()) -> bytes:
        """Return the STATE message as a line of JSON, with an entry for each of these streams."""
        for stream in streams:
            self.of(stream)
        message = {"type": "STATE", "value": {"bookmarks": self._bookmarks}}
        return msgspec.json.encode(message) + b"\n"
