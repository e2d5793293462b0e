"""Draw the pictures of deduplication.md from real accounts, with the tap's own rules.

`python docs/pictures.py` draws them anew, beside this file or in the folder that is named.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from xml.sax.saxutils import escape

from tap_twilio_usage.money.dedup import Share, deduplicate
from tap_twilio_usage.money.hierarchy import TOTAL, shipped

HERE = Path(__file__).parent
REAL = HERE.parent / "tests" / "real_accounts.json"
# The categories that Twilio's documentation calls common, without totalprice.
COMMON = {
    *("calls", "sms", "pfax-minutes", "pfax-pages", "phonenumbers"),
    *("recordings", "transcriptions", "pv"),
}
# That account publishes no total: the sum of its messages and its templates.
WITHOUT_TOTAL = {"whatsapp": ("channels-messaging", "channels-whatsapp")}

Day = dict[str, Decimal]

# On a ground of their own, for a page that may be dark; 640 wide, so that they are read on a phone.
WIDTH, MARGIN = 640, 20
INNER = WIDTH - 2 * MARGIN
INDENT = 20
GROUND, LINE, INK, FAINT = "#ffffff", "#d0d7de", "#1f2328", "#59636e"
COUNTED, REMAINDER, INSIDE, WRONG = "#0969da", "#8250df", "#e3e8ee", "#d4620f"


def accounts() -> dict[str, Day]:
    """Return each real account's rows that have a price."""
    found: dict[str, Day] = {}
    for name, texts in json.loads(REAL.read_text()).items():
        day = {category: Decimal(text) for category, text in texts.items()}
        if name in WITHOUT_TOTAL:
            day[TOTAL] = sum((day[category] for category in WITHOUT_TOTAL[name]), Decimal(0))
        found[name] = {category: price for category, price in day.items() if price}
    return found


def rows(day: Mapping[str, Decimal], kept: Iterable[str] | None = None) -> Decimal:
    """Add up the rows, or those that are kept; never the total's."""
    names = set(day) - {TOTAL}
    return sum((day[name] for name in names & set(names if kept is None else kept)), Decimal(0))


def dollars(amount: Decimal) -> str:
    """Write an amount with five decimals, which is all that these accounts have."""
    text = f"{amount:.5f}"
    assert Decimal(text) == amount  # noqa: S101
    return text


def above(category: str, day: Mapping[str, Decimal]) -> str:
    """Return the nearest category above that has a row."""
    name = shipped().parent(category) or TOTAL
    return name if name in day else above(name, day)


def below(parent: str, day: Mapping[str, Decimal], depth: int = 1) -> Iterator[tuple[int, str]]:
    """Yield the rows below a row, each with its depth, the largest first."""
    children = [name for name in day if name != TOTAL and above(name, day) == parent]
    for child in sorted(children, key=lambda name: (-day[name], name)):
        yield depth, child
        yield from below(child, day, depth + 1)


class Picture:
    """SVG, from the top to the bottom."""

    def __init__(self, title: str) -> None:
        """Begin below the title."""
        self.title = title
        self.y = 34
        self.parts = [self.text(MARGIN, self.y, title, size=21, weight=600)]

    def text(self, x: float, y: float, words: str, **style: str | int) -> str:
        """Give words that begin at x; end there with anchor="end"."""
        size, weight = style.get("size", 17), style.get("weight", 400)
        fill, anchor = style.get("fill", INK), style.get("anchor", "start")
        return (
            f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}" '
            f'fill="{fill}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def bar(self, x: float, y: float, width: float, fill: str, height: int = 16) -> str:
        """Give a bar; nothing where it would have no width."""
        if not width:
            return ""
        return (
            f'<rect x="{x:g}" y="{y:g}" width="{max(width, 2):.1f}" height="{height}" '
            f'rx="2" fill="{fill}"/>'
        )

    def line(self, *words: tuple[float, str, dict[str, str | int]], down: int = 26) -> None:
        """Write words on the next line."""
        self.y += down
        self.parts += [self.text(x, self.y, said, **style) for x, said, style in words]

    def key(self, *meanings: tuple[str, str]) -> None:
        """Say what the colours mean."""
        self.y += 10
        for fill, meaning in meanings:
            self.y += 25
            self.parts += [
                self.bar(MARGIN, self.y - 13, 22, fill),
                self.text(MARGIN + 32, self.y, meaning, size=16, fill=FAINT),
            ]

    def svg(self) -> str:
        """Give the whole."""
        height = self.y + 22
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" role="img" '
            'font-family="-apple-system,Segoe UI,Helvetica,Arial,sans-serif">'
        )
        ground = (
            f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8" '
            f'fill="{GROUND}" stroke="{LINE}"/>'
        )
        parts = [head, f"<title>{escape(self.title)}</title>", ground, *filter(None, self.parts)]
        return "\n".join([*parts, "</svg>\n"])


def tree(title: str, day: Day) -> str:
    """Draw the tree of an account's rows: the price of each, and the part of it that counts."""
    picture = Picture(title)
    shares: dict[str, Share] = deduplicate(day)
    placed = [(0, TOTAL), *below(TOTAL, day)]
    scale = min((INNER - INDENT * depth) / float(day[name]) for depth, name in placed)
    right: dict[str, str | int] = {"anchor": "end", "fill": FAINT, "size": 16}
    picture.line(
        (MARGIN, "category, below its parent", {"fill": FAINT, "size": 16}),
        (500, "price", right),
        (WIDTH - MARGIN, "counts", right),
        down=34,
    )
    for depth, category in placed:
        price, share = day[category], shares[category]
        counts = share.deduplicated_price or Decimal(0)
        left = MARGIN + INDENT * depth
        weight = 600 if counts else 400
        strong: dict[str, str | int] = {"anchor": "end", "weight": weight}
        picture.line(
            (left, category, {"weight": weight}),
            (500, dollars(price), {"anchor": "end"}),
            (WIDTH - MARGIN, dollars(counts) if counts else "0", strong),
            down=32,
        )
        outer = WRONG if share.role == "overlap" else INSIDE
        inner = REMAINDER if share.role == "total" else COUNTED
        for amount, colour in ((price, outer), (counts, inner)):
            picture.parts.append(picture.bar(left, picture.y + 6, float(amount) * scale, colour))
        picture.y += 22
    picture.line(
        (MARGIN, "sum of all rows below totalprice", {}),
        (500, dollars(rows(day)), {"anchor": "end"}),
        down=36,
    )
    counts = sum((share.deduplicated_price or Decimal(0) for share in shares.values()), Decimal(0))
    picture.line(
        (MARGIN, "sum of what counts = totalprice", {"weight": 600}),
        (WIDTH - MARGIN, dollars(counts), {"anchor": "end", "weight": 600}),
    )
    meanings = [
        (COUNTED, "counts"),
        (INSIDE, "is also in the rows below it: does not count again"),
    ]
    for category, share in shares.items():
        if share.role == "overlap":
            repeated = shipped().categories[category].also_included_in[0]
            meanings.append((WRONG, f"is also in {repeated} (an overlap): does not count"))
    if shares[TOTAL].deduplicated_price:
        meanings.append((REMAINDER, "is in no other row: stays with totalprice"))
    picture.key(*meanings)
    return picture.svg()


def leaves() -> set[str]:
    """Return the categories of the table that contain no other."""
    table = shipped()
    containers = table.containers(())
    return {name for name in table.categories if table.role(name, containers) == "leaf"}


def top_level() -> set[str]:
    """Return the categories of the table whose parent is the total."""
    table = shipped()
    return {name for name in table.categories if table.parent(name) == TOTAL}


def ways() -> str:
    """Draw the result of each method for three accounts, compared with their bills."""
    picture = Picture("Methods to add up a bill, and their results")
    real = accounts()
    end: dict[str, str | int] = {"anchor": "end"}
    head: dict[str, str | int] = {**end, "fill": FAINT, "size": 16}
    fixed = [
        ("a fixed list of detailed categories", leaves()),
        ("a fixed list of top categories", top_level()),
    ]
    drawn: tuple[tuple[str, str, list[tuple[str, set[str]]]], ...] = (
        ("voice_and_verify", "Calls and verification codes", fixed),
        ("a2p", "Registration of a messaging campaign", []),
        ("whatsapp", "WhatsApp (its total is not published)", []),
    )
    # All bills have the same length, and the longest bar just fits.
    mark = INNER / float(max(rows(real[name]) / real[name][TOTAL] for name, *_ in drawn))
    picture.line((500, "sum", head), (WIDTH - MARGIN, "of the bill", head))
    for name, said, more in drawn:
        day = real[name]
        bill = day[TOTAL]
        shares = deduplicate(day).values()
        counted = sum((share.deduplicated_price or Decimal(0) for share in shares), Decimal(0))
        picture.line((MARGIN, said, {"weight": 600, "size": 18}), down=40)
        sums = [("all rows", rows(day))]
        sums += [(way, rows(day, kept)) for way, kept in more]
        sums += [("Twilio's eight common categories", rows(day, COMMON)), ("this tap", counted)]
        scale = mark / float(bill)
        for way, amount in sums:
            right = amount == bill
            weight: dict[str, str | int] = {"weight": 600 if right else 400}
            picture.line(
                (MARGIN, way, weight),
                (500, dollars(amount), {**end, **weight}),
                (WIDTH - MARGIN, f"{amount / bill:.0%}", {**end, **weight}),
                down=30,
            )
            picture.y += 22
            colour = COUNTED if right else WRONG
            picture.parts += [
                picture.bar(MARGIN, picture.y - 16, float(amount) * scale, colour),
                picture.bar(MARGIN + mark - 1, picture.y - 19, 2, INK, 22),
            ]
    picture.key((INK, "the bill: totalprice; for WhatsApp, its messages plus its templates"))
    return picture.svg()


def pictures() -> dict[str, str]:
    """Return every picture by the name of its file."""
    real = accounts()
    whole = real["voice_and_verify"]
    question = f"One account, all rows: ${rows(whole):.2f} or ${whole[TOTAL]:.2f}?"
    return {
        "tree.svg": tree(question, whole),
        "remainders.svg": tree("Money that is in no more detailed row", real["long_history"]),
        "ways.svg": ways(),
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for file, svg in pictures().items():
        (folder / file).write_text(svg, "utf-8")
