"""The names that the connectors give to the columns of usage records. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tap_twilio_usage.raw.errors import RawError

ADDED = ("deduplicated_price", "dedup_role")
# Fivetran says account_id; Airbyte, ingestr and Twilio itself say account_sid.
NAMES = {
    "account": ("account_sid", "account_id"),
    "category": ("category",),
    "start": ("start_date",),
    "price": ("price",),
}
OPTIONAL = {
    "end": ("end_date",),
    "unit": ("price_unit",),
    "count": ("count",),
    "usage": ("usage",),
}


def find(columns: Sequence[str]) -> dict[str, str]:
    """Return the column of each part of a usage record. Upper and lower case are the same.

    Raises RawError if one is missing or there twice, or if the rows are de-duplicated already.
    """
    written = {name.lower(): name for name in columns}
    if there := [name for name in ADDED if name in written]:
        raise RawError(f"it already has the column {_list(there)}; give the rows as they were")
    found: dict[str, str] = {}
    for part, names in (NAMES | OPTIONAL).items():
        for name in names:
            if name in written:
                found.setdefault(part, written[name])
    if len(columns) == 1 and set(columns[0]) & set(";\t"):
        raise RawError("its columns are not separated by commas; export it with commas")
    if missing := [" or ".join(NAMES[part]) for part in NAMES if part not in found]:
        raise RawError(
            f"it has no column {_list(missing)}; its columns are {_list(columns)}; give a table of "
            "usage records, with a row for each category and day"
        )
    for name in found.values():
        if len(same := [each for each in columns if each.lower() == name.lower()]) > 1:
            raise RawError(f"it has the columns {_list(same)}, which are one; leave out the others")
    return found


def _list(names: Collection[str]) -> str:
    return ", ".join(names)
