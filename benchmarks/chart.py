"""The pictures of docs/forecast.md and docs/anomalies.md, as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from xml.sax.saxutils import escape

from benchmarks.marts import query
from benchmarks.spending import Spender

# As docs/pictures.py has them: on a ground of their own, 640 wide to be read on a phone.
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 340, 70, 20, 60, 60
GROUND, LINE, INK, FAINT = "#ffffff", "#d0d7de", "#1f2328", "#59636e"
COST, EXPECTED, RANGE, WRONG = "#0969da", "#59636e", "#cfe3f9", "#d4620f"

Points = Iterable[tuple[date, float]]


class Chart:
    """Amounts by day."""

    def __init__(self, title: str, first: date, last: date, highest: float) -> None:
        """Set up the axes."""
        self.title, self.first, self.last, self.highest = title, first, last, highest * 1.05
        self.parts = [self.text(20, 34, title, INK, 20, weight=600)]
        for n in range(5):
            amount = highest * n / 4
            y = self.y(amount)
            self.parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{LINE}"/>')
            self.parts.append(self.text(LEFT - 8, y + 5, f"${amount:,.0f}", FAINT, 14, "end"))
        span = (last - first).days
        for n in range(0, span + 1, max(1, span // 5)):
            day = first + timedelta(days=n)
            said = f"{day:%b} {day.day}"
            x = self.x(day)
            anchor = "end" if day == last else "middle"
            self.parts.append(self.text(x, HEIGHT - BOTTOM + 22, said, FAINT, 14, anchor))

    def x(self, day: date) -> float:
        """Return where a day is."""
        part = (day - self.first).days / (self.last - self.first).days
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def y(self, amount: float) -> float:
        """Return where an amount is."""
        return HEIGHT - BOTTOM - amount / self.highest * (HEIGHT - TOP - BOTTOM)

    def text(  # noqa: PLR0913, PLR0917
        self,
        x: float,
        y: float,
        words: str,
        fill: str,
        size: int,
        anchor: str = "start",
        *,
        weight: int = 400,
    ) -> str:
        """Return words."""
        return (
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" '
            f'fill="{fill}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def path(self, points: Points) -> str:
        """Return the points of a path."""
        return "M" + "L".join(f"{self.x(day):.1f} {self.y(amount):.1f}" for day, amount in points)

    def line(self, points: Points, colour: str, dashes: str = "") -> None:
        """Draw a line."""
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        path = self.path(points)
        self.parts.append(
            f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashed}/>'
        )

    def area(self, points: Points, colour: str) -> None:
        """Fill the space between points."""
        self.parts.append(f'<path d="{self.path(points)}Z" fill="{colour}"/>')

    def mark(self, day: date, amount: float, colour: str) -> None:
        """Mark a point."""
        x, y = self.x(day), self.y(amount)
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>')

    def svg(self, *key: tuple[str, str]) -> str:
        """Return the whole, with what the colours mean."""
        x = float(LEFT)
        for colour, words in key:
            self.parts.append(
                f'<rect x="{x:.1f}" y="{HEIGHT - 26}" width="16" height="10" fill="{colour}"/>'
            )
            self.parts.append(self.text(x + 22, HEIGHT - 16, words, FAINT, 14))
            x += 40 + 7.2 * len(words)
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
            f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            'font-family="-apple-system,Segoe UI,Helvetica,Arial,sans-serif">'
        )
        ground = (
            f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8" '
            f'fill="{GROUND}" stroke="{LINE}"/>'
        )
        parts = [head, f"<title>{escape(self.title)}</title>", ground, *self.parts]
        return "\n".join([*parts, "</svg>\n"])


def draw_forecast(warehouse: Path) -> str:
    """Draw how a month went on after its forecast of the 10th of October."""
    ((company, today, forecast, low, high),) = query(
        warehouse,
        "SELECT company, last_day, forecast, forecast_low, forecast_high "
        "FROM accounts JOIN twilio_usage.budget_status ON scope_value = account_sid "
        "WHERE last_day = DATE '2025-10-10' AND period_start = DATE '2025-10-01' "
        "ORDER BY account_sid LIMIT 1",
    )
    sums = [
        (day, float(cost))
        for day, cost in query(
            warehouse,
            "SELECT day, SUM(SUM(price)) OVER (ORDER BY day) FROM spending "
            "WHERE company = ? AND day BETWEEN DATE '2025-10-01' AND DATE '2025-10-31' "
            "GROUP BY day ORDER BY day",
            company,
        )
    ]
    first, last = sums[0][0], sums[-1][0]
    so_far = [point for point in sums if point[0] <= today]
    highest = max(float(high), sums[-1][1])
    chart = Chart("Cost of a month, and its forecast of the 10th", first, last, highest)
    begin = so_far[-1]
    chart.area([begin, (last, float(high)), (last, float(low))], RANGE)
    chart.line([begin, (last, float(forecast))], EXPECTED, "6 4")
    chart.line([point for point in sums if point[0] >= today], COST, "2 4")
    chart.line(so_far, COST)
    key = (COST, "cost (dotted: later)"), (EXPECTED, "forecast"), (RANGE, "80 % range")
    return chart.svg(*key)


def draw_anomalies(warehouse: Path, spenders: Sequence[Spender]) -> str:
    """Draw a category in which SMS pumping was found."""
    bursts = [(s.name, c) for s in spenders for c in s.changes if c.kind == "SMS pumping"]
    used = (
        "SELECT COUNT(*) FROM twilio_usage.int_twilio_usage__baselines "
        "WHERE account_sid = ? AND category = ? AND cost > 0"
    )
    name, burst = max(
        (each for each in bursts if each[1].days > 1),
        key=lambda each: query(warehouse, used, f"AC-{each[0]}", each[1].category),
    )
    first, last = burst.first - timedelta(days=60), burst.first + timedelta(days=30)
    days = [
        (day, float(cost), float(expected), is_unusual)
        for day, cost, expected, is_unusual in query(
            warehouse,
            "SELECT b.start_date, b.cost, b.expected, a.kind IS NOT NULL "
            "FROM twilio_usage.int_twilio_usage__baselines AS b "
            "LEFT JOIN twilio_usage.anomalies AS a ON a.account_sid = b.account_sid "
            "AND a.category = b.category AND a.start_date = b.start_date "
            "WHERE b.account_sid = ? AND b.category = ? AND b.start_date BETWEEN ? AND ? "
            "AND b.cost IS NOT NULL ORDER BY 1",
            *(f"AC-{name}", burst.category, first, last),
        )
    ]
    title = f"Cost of {burst.category}, by day"
    chart = Chart(title, days[0][0], days[-1][0], max(cost for _, cost, *_ in days))
    chart.line(((day, expected) for day, _, expected, _ in days), EXPECTED, "6 4")
    chart.line(((day, cost) for day, cost, *_ in days), COST)
    for day, cost, _, is_unusual in days:
        if is_unusual:
            chart.mark(day, cost, WRONG)
    return chart.svg((COST, "cost"), (EXPECTED, "expected"), (WRONG, "in anomalies"))
