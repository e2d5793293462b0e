"""The page: one HTML file with everything in it, which asks the network for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from typing import Any

import altair as alt
import vl_convert
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tap_twilio_usage.report import wording
from tap_twilio_usage.report.charts import Legend, drawn
from tap_twilio_usage.report.figures import Section


def rendered(sections: Sequence[Section]) -> str:
    """Give the page of all sections."""
    environment = Environment(
        loader=PackageLoader(__package__, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        money=money,
        month=lambda period: wording.month(period.first, period.last),
        count=wording.count,
        share=wording.share,
        span=lambda days: wording.span(*days),
        short=lambda days: wording.month(*days),
    )
    parts = [_part(number, section) for number, section in enumerate(sections)]
    return environment.get_template("report.html").render(
        parts=parts,
        times=wording.times,
        specs=[[id_, spec] for part in parts for id_, spec in part["charts"].values()],
        library=Markup(_library()),  # noqa: S704  (a script, not of the warehouse)
    )


def money(amount: Decimal | None, decimals: int = 2, *, signed: bool = False) -> Markup:
    """Write an amount exactly, what follows the pennies smaller."""
    if amount is None:
        return Markup("missing")
    text = wording.money(amount, decimals, signed=signed)
    end = text.index(".") + 3
    return Markup('<span class="n">{}<small>{}</small></span>').format(text[:end], text[end:])


def _part(number: int, section: Section) -> dict[str, Any]:
    legend = Legend.of(section)
    return {
        "section": section,
        "legend": legend.entries,
        "decimals": _decimals(section),
        "charts": {name: (f"{name}-{number}", spec) for name, spec in drawn(section, legend)},
    }


def _decimals(section: Section) -> int:
    """Count the decimals that the amounts of a section need, so that they stand in columns."""
    amounts = [
        amount
        for day in section.days
        for amount in (day.naive, day.total or Decimal(0), *day.services.values())
    ]
    return max(wording.PENNIES, *map(wording.places, amounts))


@cache
def _library() -> str:
    """Give Vega-Lite as one script; it stands in the page, so nothing in it may end a script."""
    version = alt.SCHEMA_VERSION.rpartition(".")[0]
    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", version)
    return script.replace("</script", r"<\/script")
