"""The command `tap-twilio-usage-deduplicate`."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tap_twilio_usage.raw.errors import RawError
from tap_twilio_usage.raw.names import find
from tap_twilio_usage.raw.shares import Shares, shares_of

if TYPE_CHECKING:
    from tap_twilio_usage.raw.csv_file import CsvFile
    from tap_twilio_usage.raw.parquet_file import ParquetFile


def main(arguments: Sequence[str] | None = None) -> None:
    """Read IN and write OUT. A failure is exit code 1, and OUT stays as it was."""
    asked = _parser().parse_args(arguments)
    gc.disable()  # millions of values, none in a cycle: a third of the time would be searching
    try:
        _run(asked.input, asked.output)
    except RawError as error:
        sys.exit(f"deduplicate: {asked.input}: {error}")
    except OSError as error:
        sys.exit(f"deduplicate: {error.filename or asked.output}: {error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        gc.enable()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tap-twilio-usage-deduplicate",
        description=(
            "Add deduplicated_price and dedup_role to the usage records that another tool has "
            "loaded: the table usage_record of Fivetran, usage_records of Airbyte or ingestr."
        ),
    )
    parser.add_argument("input", type=Path, metavar="IN", help="a .parquet or .csv file")
    parser.add_argument("output", type=Path, metavar="OUT", help="the file to write, of that kind")
    return parser


def _run(given: Path, output: Path) -> None:
    file = _opened(given)
    if given.suffix.lower() != output.suffix.lower():
        raise RawError(f"{output} is of another kind; write {given.suffix} as well")
    if output.is_dir():
        raise RawError(f"{output} is a folder; give OUT the name of a file")
    if given.resolve() == output.resolve():
        raise RawError("it would be overwritten; give OUT another name")
    shares = shares_of(file.columns(find(file.names)))
    partial = output.with_name(f"{output.name}.part")
    try:
        file.write(partial, shares.rows)
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
    _say(shares, output)


def _opened(path: Path) -> CsvFile | ParquetFile:
    if path.suffix.lower() == ".csv":
        from tap_twilio_usage.raw.csv_file import CsvFile  # noqa: PLC0415

        return CsvFile(path)
    if path.suffix.lower() != ".parquet":
        raise RawError("it is neither .parquet nor .csv; unpack it, or export one of them")
    try:
        from tap_twilio_usage.raw.parquet_file import ParquetFile  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise RawError(
            f"{error.name} is not installed; pip install 'tap-twilio-usage[parquet]', or use CSV"
        ) from None
    return ParquetFile(path)


def _say(shares: Shares, output: Path) -> None:
    prices = shares.prices
    if prices.doubles:
        warning(
            f"{prices.doubles:,} prices are floating point, and were read as the shortest decimal "
            f"of each; {prices.rounded:,} of them have more than 15 digits and were rounded"
        )
    if shares.without_total:
        warning(
            f"{shares.without_total:,} periods have no price for totalprice, so their "
            "deduplicated_price is empty; load that category too"
        )
    if shares.over_total:
        warning(
            f"{shares.over_total:,} periods have rows that hold more than totalprice; the "
            "difference is on totalprice, below zero"
        )
    if len(shares.accounts) > 1:
        warning(
            f"{len(shares.accounts):,} accounts: the rows of a main account may include those of "
            "its subaccounts; add up the main account or the subaccounts, not both"
        )
    sums = ", ".join(f"{amount:,f} {unit}".strip() for unit, amount in sorted(shares.sums.items()))
    say(
        f"{len(shares.rows):,} rows of {shares.periods:,} periods written to {output}; "
        f"SUM(deduplicated_price) = {sums or 0}"
    )


def warning(text: str) -> None:
    """Write what the user should know."""
    say(f"warning: {text}")


def say(text: str) -> None:
    """Write a line of the log."""
    sys.stderr.write(f"deduplicate: {text}\n")


if __name__ == "__main__":
    main()
