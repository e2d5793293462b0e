"""The metadata of FOCUS for delivered files: their schema, and how complete each day is. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta, timezone
from hashlib import md5
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from tap_twilio_usage.focus.delivery import SUCCESSORS, Form, Tally
from tap_twilio_usage.focus.files import DIGITS_AFTER_THE_POINT

DIGITS = 38
DATA_TYPES = {"number": "DECIMAL", "date-time": "DATETIME", "string": "STRING"}


def metadata(
    form: Form, tally: Tally, *, generator: str, written: datetime, lookback_days: int
) -> dict[str, Any]:
    """Return the metadata of FOCUS: the schema of the files, and how complete each day is."""
    columns = [
        _column(name, each, tally.lengths.get(name)) for name, each in form.described.items()
    ]
    instance = instance_of("CostAndUsage", min(tally.payers))
    identity = f"{form.version} {[(each['ColumnName'], each['DataType']) for each in columns]}"
    return {
        "DataGenerator": {"DataGenerator": "tap-twilio-usage"},
        "DatasetInstance": [
            {
                "DatasetInstanceId": instance,
                "DatasetInstanceName": "Cost and Usage",
                "FocusDatasetId": "CostAndUsage",
            }
        ],
        "Schema": [
            {
                "SchemaId": f"{uuid5(NAMESPACE_URL, identity)}",
                "DatasetInstanceId": instance,
                "FocusVersion": form.version,
                "DataGeneratorVersion": f"{generator}+focus.{form.version}",
                "CreationDate": _written(written),
                "ColumnDefinition": columns,
            }
        ],
        "Recency": [
            {
                "DatasetInstanceId": instance,
                "DatasetInstanceLastUpdated": _written(written),
                "RecencyLastUpdated": _written(written),
                "TimeSectors": list(_sectors(tally.days, written, lookback_days)),
            }
        ],
    }


def instance_of(dataset: str, payer: str) -> str:
    """Return the ID of a dataset, as the dbt model focus_recency computes it too."""
    return f"{UUID(md5(f'{dataset} {payer}'.encode(), usedforsecurity=False).hexdigest())}"


def _column(name: str, described: Mapping[str, Any], longest: int | None) -> dict[str, Any]:
    kind = DATA_TYPES[described.get("format", described["type"][0])]
    definition: dict[str, Any] = {"ColumnName": name, "DataType": kind}
    if kind == "DECIMAL":
        definition |= {"NumericPrecision": DIGITS, "NumberScale": DIGITS_AFTER_THE_POINT}
    if kind == "STRING":
        definition |= {"StringMaxLength": longest or 0, "StringEncoding": "UTF-8"}
    if name in SUCCESSORS:
        definition["Deprecated"] = True
    if name == "Tags":
        definition["ProviderTagPrefixes"] = []  # all tags are of the user's rules
    return definition


def _sectors(
    days: Mapping[date, datetime | None], written: datetime, lookback_days: int
) -> Iterator[dict[str, Any]]:
    """Yield each day from the first to the last; one without a row is not complete."""
    first, last = min(days), max(days)
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        yield {
            "TimeSectorStart": f"{day}T00:00:00Z",
            "TimeSectorEnd": f"{day + timedelta(days=1)}T00:00:00Z",
            "TimeSectorComplete": day in days and day < last - timedelta(days=lookback_days),
            "TimeSectorLastUpdated": _written(days.get(day) or written),
        }


def _written(value: datetime) -> str:
    return f"{value.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
