"""The pictures of finops.md show what the code computes, and it adds up."""

from __future__ import annotations

import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

from docs import finops_pictures as pictures
from tests.conftest import ROOT, clean_environment


def test_the_pictures_are_what_the_command_draws(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "docs.finops_pictures", f"{tmp_path}"]
    subprocess.run(command, check=True, env=clean_environment(), cwd=ROOT)
    page = (ROOT / "docs" / "finops.md").read_text()
    for drawn in tmp_path.iterdir():
        assert drawn.read_text() == (ROOT / "docs" / drawn.name).read_text()
        assert f"]({drawn.name})" in page


def test_what_the_owners_spend_is_twilios_total() -> None:
    company = pictures.company()
    total = sum(map(company.total, pictures.days(pictures.MONTH)))
    spent = pictures.owners(company)
    assert spent.keys() == {"Marketing", "Sales", "Support", "Platform", "Unallocated"}
    assert sum(spent.values()) == total
    assert spent["Marketing"] == 3 * spent["Sales"]
    (shown,) = re.findall(r"([\d,.]+)</text>\s*</svg>", pictures.bill())[-1:]
    assert Decimal(shown.replace(",", "")) == round(total, 2)


def test_what_became_dearer_has_a_change_of_price() -> None:
    found = pictures.changes(pictures.company())
    assert max(found, key=lambda name: found[name][1]) == pictures.DEARER
    assert "price: a unit costs more" in pictures.causes()
