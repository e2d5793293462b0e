"""Settings as text, which is all that the environment and Meltano can pass on."""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping
from typing import Any

BOOLEANS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}


def parse(config: MutableMapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Replace the text of each boolean and list by its value, in place.

    A list is JSON, or has commas between its texts. What is neither stays text, which the schema
    refuses.
    """
    for name, value in config.items():
        described = schema["properties"].get(name, {})
        if isinstance(value, str):
            config[name] = _parse(value, described)


def _parse(text: str, described: Mapping[str, Any]) -> Any:
    kinds = described.get("type", ())
    if "boolean" in kinds:
        return BOOLEANS.get(text.strip().lower(), text)
    if "array" not in kinds:
        return text
    if text.lstrip()[:1] in {"[", "{"} or "string" not in described["items"]["type"]:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return [each.strip() for each in text.split(",") if each.strip()]
