"""The sizes of the benchmarks: full ones, and small ones to check that everything works."""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.case import Case

# So that all accounts exist on the first day; the sandbox creates them up to 42 days apart.
AGE = 60
FEW = 100  # categories; the sandbox raises it to the number its accounts use, about 130


class Sizes(NamedTuple):
    """The cases of each part, and how to run them."""

    year: Case
    accounts: Case
    night: Case
    days: tuple[Case, ...]
    by_account: tuple[Case, ...]
    latencies: tuple[float, ...]  # seconds; the first is 0
    limited_latency: float
    repeats: int
    warm: bool  # run once before measuring: the sandbox renders each page on its first request

    def __str__(self) -> str:
        """Return a description of the method."""
        warmed = "after runs that warm the sandbox up" if self.warm else "from a cold sandbox"
        return (
            f"{warmed}: the median of {self.repeats} with one account and latency 0, others once; "
            "MB are 10^6 bytes"
        )

    def repeated(self, case: Case, latency: float = 0.0) -> int:
        """Return how often to measure a run: short runs more often than long ones."""
        return 1 if latency or case.accounts > 1 else self.repeats


FULL = Sizes(
    year=Case(365),
    accounts=Case(92, accounts=50, age=AGE, categories=FEW),
    night=Case(36, age=329),
    days=tuple(Case(days) for days in (31, 92, 183, 365, 1095, 1825)),
    by_account=tuple(
        Case(31, accounts=accounts, age=AGE, categories=FEW)
        for accounts in (1, 10, 25, 50, 100, 200)
    ),
    latencies=(0.0, 0.1, 0.3),
    limited_latency=0.1,
    repeats=5,
    warm=True,
)
QUICK = Sizes(
    year=Case(8),
    accounts=Case(3, accounts=4, age=AGE, categories=FEW),
    night=Case(4),
    days=tuple(Case(days) for days in (1, 2, 3)),
    by_account=tuple(Case(1, accounts=accounts, age=AGE, categories=FEW) for accounts in (1, 2, 3)),
    latencies=(0.0,),
    limited_latency=0.0,
    repeats=1,
    warm=False,
)
