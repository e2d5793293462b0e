"""The private parts of the SDK that the tap uses, each with the reason."""

from __future__ import annotations

# The SDK's only parser of TAP_TWILIO_USAGE_*; it is used to find the variable that it cannot parse.
from singer_sdk.configuration._dict_config import parse_environment_config

__all__ = ["parse_environment_config"]
