"""The page: one HTML file that includes everything and makes no network request."""

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
from tap_twilio_usage.report.figures import LARGEST, Section


def rendered(sections: Sequence[Section]) -> str:
    """Return the page of all sections."""
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
        listed=LARGEST,
        specs=[[id_, spec] for part in parts for id_, spec in part["charts"].values()],
        library=Markup(_library()),  # noqa: S704  (a script that does not come from the warehouse)
    )


def money(amount: Decimal | None, decimals: int = 2, *, signed: bool = False) -> Markup:
    """Return an amount exactly, with the decimals after the second in small type."""
    if amount is None:
        return Markup("missing")
    text = wording.money(amount, decimals, signed=signed)
    end = text.index(".") + 3
    return Markup('<span class="n">{}<small>{}</small></span>').format(text[:end], text[end:])


def _part(number: int, section: Section) -> dict[str, Any]:
    legend, decimals = Legend.of(section), _decimals(section)
    charts = drawn(section, legend, decimals)
    return {
        "section": section,
        "legend": legend.entries,
        "decimals": decimals,
        "charts": {name: (f"{name}-{number}", spec) for name, spec in charts},
    }


def _decimals(section: Section) -> int:
    """Return the number of decimals for the amounts of a section, so that they align in columns."""
    amounts = [
        amount
        for day in section.days
        for amount in (day.naive, day.total or Decimal(0), *day.services.values())
    ]
    return max(wording.PENNIES, *map(wording.places, amounts))


@cache
def _library() -> str:
    """Return Vega-Lite as one script. It is part of the page, so it must not contain `</script`."""
    version = alt.SCHEMA_VERSION.rpartition(".")[0]
    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", version)
    return script.replace("</script", r"<\/script")
