"""The command `tap-twilio-usage-load`."""

from __future__ import annotations

from typing import Any

import click

from tap_twilio_usage import signals

OPTIONS = [
    click.Option(
        ["--destination"],
        required=True,
        help=(
            "URL, such as duckdb:///usage.duckdb or postgresql://user@host/database, or "
            "the name of a destination in dlt's configuration, such as snowflake."
        ),
    ),
    click.Option(
        ["--dataset"],
        default="tap_twilio_usage",
        show_default=True,
        help="Schema of the tables.",
    ),
    click.Option(
        ["--select"],
        multiple=True,
        help="Stream to load; can be repeated. Default: the streams that the tap selects.",
    ),
    click.Option(
        ["--full-refresh"],
        is_flag=True,
        help="Read everything from start_date again. Rows are overwritten by key.",
    ),
    click.Option(
        ["--table-format"],
        type=click.Choice(["delta", "iceberg"]),
        help="Format of the tables, where the destination is a folder or a bucket.",
    ),
    click.Option(
        ["--pipeline"],
        default="tap_twilio_usage",
        show_default=True,
        help="Name under which the destination keeps the state; another one for each shard.",
    ),
]


def main() -> None:
    """Run the command."""
    signals.use_default()  # before the slow imports, which a signal may interrupt
    from tap_twilio_usage.cli import Command  # noqa: PLC0415
    from tap_twilio_usage.errors import TapError  # noqa: PLC0415
    from tap_twilio_usage.memory import keep_freed_memory  # noqa: PLC0415
    from tap_twilio_usage.tap import TapTwilioUsage  # noqa: PLC0415

    missing = None
    try:
        from tap_twilio_usage.dlt.load import Choice, Target, load  # noqa: PLC0415
    except ImportError as error:  # said by `run`, so that --help works
        missing = error.name
    keep_freed_memory()
    logger = TapTwilioUsage.logger

    def run(*, config: Any, select: tuple[str, ...], full_refresh: bool, **target: Any) -> None:
        if missing:
            raise TapError(f"{missing} is not installed; pip install 'tap-twilio-usage[dlt]'")
        load(Target(**target), Choice(config.config, select, full_refresh), logger)

    options_of_the_tap = TapTwilioUsage.cli.params  # this configures logging, too
    Command(
        name="tap-twilio-usage-load",
        callback=run,
        params=[*OPTIONS, *(each for each in options_of_the_tap if each.name == "config")],
        help="Load Twilio usage and spend into any destination of dlt, with exact types.",
        logger=logger,
    )()


if __name__ == "__main__":
    main()
