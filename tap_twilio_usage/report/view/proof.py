"""The proof: that nothing is missing or counted twice, and that it is what Twilio charges."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property

from tap_twilio_usage.report import wording
from tap_twilio_usage.report.figures.missing import EVERY, Gap
from tap_twilio_usage.report.figures.proof import DIFFERENT, MONTH_MISSING
from tap_twilio_usage.report.figures.sums import Invoiced
from tap_twilio_usage.report.reading import Part
from tap_twilio_usage.report.view.names import Names
from tap_twilio_usage.report.view.table import COUNT, DAY, SID, TEXT, Column, Table

WORST = 10
MONTHS = {DIFFERENT: "differs", MONTH_MISSING: "is missing"}
REASONS = {
    "rounding": "rounding",
    "tax": "taxes",
    "credit": "credits",
    "not_in_api": "not in the Usage API",
    "late": "reported late",
    "unexplained": "unexplained",
}


@dataclass
class Proof:
    """The tables of the proof, and what is wrong in one sentence each."""

    part: Part
    names: Names

    @property
    def _unit(self) -> str:
        return self.part.section.unit

    @cached_property
    def problems(self) -> list[str]:
        """What is wrong; nothing if all is right."""
        section, said = self.part.section, []
        every = [gap for gap in section.gaps if gap.account == EVERY]
        said += [self._missing(each) for each in (every, section.gaps[len(every) :]) if each]
        if section.wrong:
            said.append(
                f"{wording.count(len(section.wrong), 'day')} of "
                f"{self._whose({each.account for each in section.wrong})} "
                f"{'does' if len(section.wrong) == 1 else 'do'} not add up to Twilio's total."
            )
        for status, what in MONTHS.items():
            if wrong := [each for each in section.proofs if each.status == status]:
                months = ", ".join(f"{each.month.first:%b %Y}" for each in wrong)
                said.append(f"Twilio's own total of the month {what}: {months}.")
        return said

    def _missing(self, gaps: list[Gap]) -> str:
        days, worst = sum(gap.days for gap in gaps), gaps[0]
        accounts = {gap.account for gap in gaps}
        return (
            f"{wording.count(days, 'day')} of {self._whose(accounts)} "
            f"{'is' if days == 1 else 'are'} missing{', such as' if len(gaps) > 1 else ':'} "
            f"{wording.span(worst.first, worst.last)}"
            f"{f' of {self.names[worst.account]}' if len(accounts) > 1 else ''}. "
            "The real spend is higher."
        )

    def _whose(self, accounts: set[str]) -> str:
        if len(accounts) == 1:
            return self.names[next(iter(accounts))]
        return wording.count(len(accounts), "account")

    @cached_property
    def sums(self) -> Table:
        """The naive sum, the deduplicated sum and Twilio's total of each month."""
        section = self.part.section
        whole = section.whole
        return Table(
            *("proof", "Three sums of each month", self._unit),
            [
                *(Column("Month", TEXT), Column("All categories"), Column("Deduplicated")),
                *(Column("totalprice"), Column("In no category")),
            ],
            [
                [wording.month(m.first, m.last), m.naive, m.deduplicated, m.total, m.remainder]
                for m in section.months
            ],
            ["All", whole.naive, whole.deduplicated, whole.total, whole.remainder],
        )

    @cached_property
    def months(self) -> Table | None:
        """Each month next to Twilio's own record of it."""
        proofs = self.part.section.proofs
        if not proofs:
            return None
        return Table(
            *("months", "Twilio's own months", self._unit),
            [
                *(Column("Month", TEXT), Column("Status", TEXT), Column("Twilio's month")),
                *(Column("Sum of the days"), Column("Missing days", COUNT)),
            ],
            [
                (
                    *(wording.month(p.month.first, p.month.last), p.status, p.total),
                    *(p.month.deduplicated, p.days_missing),
                )
                for p in proofs
            ],
            bad=frozenset(at for at, each in enumerate(proofs) if each.is_wrong),
        )

    @cached_property
    def missing(self) -> Table | None:
        """The missing days of each account."""
        gaps = self.part.section.gaps
        if not gaps:
            return None
        return Table(
            *("missing-days", "Missing days", self._unit),
            [
                *(Column("Account", TEXT), Column("From", DAY), Column("To", DAY)),
                *(Column("Days", COUNT), Column("SID", SID)),
            ],
            [(self.names[gap.account], gap.first, gap.last, gap.days, gap.account) for gap in gaps],
            shown=WORST,
            bad=frozenset(range(WORST)),
        )

    @cached_property
    def loaded(self) -> Table:
        """The first and last day of each account, and how many are missing; the worst first."""
        section = self.part.section
        late = dict(section.late)
        rows = [
            (
                self.names[sid],
                *(min(section.loaded[sid]), max(section.loaded[sid])),
                *(len(section.loaded[sid]), len(section.missing[sid])),
                "begins after it was created" if sid in late else "",
            )
            for sid, _ in section.accounts
        ]
        rows.sort(key=lambda row: (-row[4], not row[5]))
        return Table(
            *("loaded-days", "Loaded days of each account", self._unit),
            [
                *(Column("Account", TEXT), Column("First", DAY), Column("Last", DAY)),
                *(Column("Loaded", COUNT), Column("Missing", COUNT), Column("Note", TEXT)),
            ],
            rows,
            shown=WORST,
            bad=frozenset(at for at, row in enumerate(rows) if row[4]),
        )

    @cached_property
    def wrong(self) -> Table | None:
        """The days that do not add up to Twilio's total, the worst first."""
        wrong = self.part.section.wrong
        if not wrong:
            return None
        return Table(
            *("wrong-days", "Days that do not add up", self._unit),
            [
                *(Column("Day", DAY), Column("Account", TEXT), Column("Deduplicated")),
                *(Column("totalprice"), Column("SID", SID)),
            ],
            [
                (each.day, self.names[each.account], each.deduplicated, each.total, each.account)
                for each in wrong
            ],
            shown=WORST,
        )

    @cached_property
    def days(self) -> Table:
        """The sums of every day."""
        return Table(
            *("days-proof", "The sums of every day", self._unit),
            [
                *(Column("Day", DAY), Column("All categories"), Column("Deduplicated")),
                *(Column("totalprice"), Column("In no category")),
            ],
            [
                (d.first, d.naive, d.deduplicated, d.total, d.remainder)
                for d in self.part.section.days
            ],
        )

    @cached_property
    def invoices(self) -> list[Table]:
        """Each invoice, and why it is not the usage."""
        found: defaultdict[tuple[str, date, date], list[Invoiced]] = defaultdict(list)
        for each in self.part.invoices:
            found[each.invoice, each.first, each.last].append(each)
        return [self._invoice(*key, lines) for key, lines in found.items()]

    def _invoice(self, name: str, first: date, last: date, lines: list[Invoiced]) -> Table:
        usage = sum((each.usage for each in lines), Decimal(0))
        invoice = sum((each.amount for each in lines), Decimal(0))
        reasons = [
            (REASONS.get(each.reason, each.reason), each.difference)
            for each in lines
            if each.difference
        ]
        return Table(
            *(f"invoice-{name}", f"Invoice {name}, {wording.span(first, last)}", self._unit),
            [Column("What", TEXT), Column("Amount")],
            [("Usage, each dollar once", usage), *reasons],
            (f"Invoice {name}", invoice),
        )
