"""What a POST request sends, and decimals as text."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

_SECRET = "client_secret"  # noqa: S105 - the name of the parameter


class Body(NamedTuple):
    """The content of a request and its media type, and the query of its URL."""

    media_type: str
    content: bytes
    query: Mapping[str, str] = MappingProxyType({})

    def form(self) -> dict[str, str]:
        """Return the fields of a form; an empty dict if the body is not sent as a form."""
        if self.media_type != "application/x-www-form-urlencoded":
            return {}
        return dict(parse_qsl(self.content.decode(errors="replace")))

    def json_object(self) -> dict[str, Any] | None:
        """Return the members of a JSON object; None if the body is not one, or not sent as JSON."""
        if self.media_type != "application/json":
            return None
        try:
            value = json.loads(self.content)
        except ValueError:
            return None
        return value if isinstance(value, dict) else None

    def parameters(self) -> dict[str, str]:
        """Return the parameters as text, without the secret, for the list of requests."""
        found = {**self.query, **(self.json_object() or self.form())}
        return {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in found.items()
            if name != _SECRET
        }


def plain(value: Decimal) -> str:
    """Return the exact decimal as text, without an exponent or trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
