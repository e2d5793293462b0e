"""The command line: the SDK's, with each failure that is no bug as one line and exit code 1."""

from __future__ import annotations

import logging
import sys
from typing import Any

import click
from singer_sdk.exceptions import (
    ConfigValidationError,
    MapExpressionError,
    StreamMapConfigError,
)
from singer_sdk.plugin_base import SingerCommand

from tap_twilio_usage.compat import override
from tap_twilio_usage.errors import TapError


class Command(SingerCommand):
    """What `tap-twilio-usage` runs."""

    @classmethod
    def like(cls, command: click.Command, logger: logging.Logger) -> Command:
        """Give the SDK's command as one of this class."""
        return cls(
            name=command.name,
            callback=command.callback,
            context_settings=command.context_settings,
            params=command.params,
            help=command.help,
            logger=logger,
        )

    @override
    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except ConfigValidationError as error:
            self._fail(*error.errors)
        except (MapExpressionError, StreamMapConfigError) as error:
            self._fail(f"stream_maps: {error}")
        except TapError as error:
            self._fail(str(error))

    def _fail(self, *lines: str) -> None:
        for line in lines:
            self.logger.error(line)
        sys.exit(1)
