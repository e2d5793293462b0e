"""Names in place of SIDs, and a colour for each service that it keeps everywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal

from tap_twilio_usage.report.figures.sums import Account

COLOURS = 6  # more cannot be told apart
OTHER = "s0"
OTHER_SERVICES = "Other services"


class Names:
    """The names of accounts. One without a name, or with that of another, shows its last digits."""

    def __init__(self, accounts: Mapping[str, Account]) -> None:
        """Take the accounts that are loaded."""
        self._names = {sid: each.name for sid, each in accounts.items() if each.name}
        self._count = Counter(self._names.values())

    def __getitem__(self, sid: str) -> str:
        """Return the name of an account."""
        name = self._names.get(sid)
        if name is None:
            return f"account …{sid[-4:]}" if sid.startswith("AC") else sid
        return name if self._count[name] == 1 else f"{name} (…{sid[-4:]})"


class Palette:
    """The colours of services: the largest ones of any currency have one of their own."""

    def __init__(self, currencies: Iterable[Mapping[str, Decimal]]) -> None:
        """Take the cost of each service in each currency."""
        shares: dict[str, float] = {}
        for costs in currencies:
            whole = sum(abs(float(cost)) for cost in costs.values()) or 1.0
            for service, cost in costs.items():
                shares[service] = max(shares.get(service, 0.0), abs(float(cost)) / whole)
        largest = sorted(shares, key=lambda service: (-shares[service], service))
        self._colours = {name: f"s{n}" for n, name in enumerate(largest[:COLOURS], 1)}

    def __getitem__(self, service: str) -> str:
        """Return the colour of a service."""
        return self._colours.get(service, OTHER)

    def legend(self, services: Iterable[str]) -> list[tuple[str, str]]:
        """Return the names of the colours of some services, in the order of the colours."""
        found = {self[service] for service in services}
        named = [(name, colour) for name, colour in self._colours.items() if colour in found]
        return [*named, (OTHER_SERVICES, OTHER)] if OTHER in found else named

    def parts(self, costs: Mapping[str, Decimal]) -> list[tuple[str, Decimal]]:
        """Return costs by colour, in the order of the colours."""
        sums: dict[str, Decimal] = {}
        for service, cost in costs.items():
            colour = self[service]
            sums[colour] = sums.get(colour, Decimal(0)) + cost
        order = [*self._colours.values(), OTHER]
        return [(colour, sums[colour]) for colour in order if sums.get(colour)]
