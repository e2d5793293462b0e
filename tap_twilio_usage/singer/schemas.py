"""The form of schemas that most targets accept. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def for_all_targets(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema without `$schema` and with "null" first in the types of its properties.

    Some targets fail on a draft that they do not know, or make a column nullable only if the first
    type is "null".
    """
    return {
        **{key: value for key, value in schema.items() if key != "$schema"},
        "properties": {
            name: {**described, "type": sorted(described["type"], key=lambda kind: kind != "null")}
            if isinstance(described.get("type"), list)
            else described
            for name, described in schema["properties"].items()
        },
    }
