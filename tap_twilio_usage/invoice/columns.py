"""Which column of a file is which: by its name, in any order."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tap_twilio_usage.invoice.errors import InvoiceError

# The names of each column, without case, spaces and signs; the first that a file has is taken.
# `Project`, `Item Category`, `Item Group`, `Item`, `Quantity` and `Amount (USD)` are those that a
# customer of Twilio describes; the others are guesses.
NAMES = {
    "invoice_id": "invoiceid invoicenumber invoiceno invoicesid invoice documentnumber",
    "period_start": "periodstart billingperiodstart serviceperiodstart startdate usagestartdate",
    "period_end": "periodend billingperiodend serviceperiodend enddate usageenddate",
    "period": "billingperiod invoiceperiod serviceperiod period invoicemonth billingmonth "
    "servicemonth usagemonth month",
    "account": "subaccountsid accountsid projectsid accountid project projectname accountname "
    "account",
    "item_group": "itemgroup productgroup product productcategory servicegroup group",
    "item": "item itemname itemdescription lineitem description",
    "quantity": "quantity qty units usage count",
    "amount": "amount totalamount lineamount amountdue totalcost cost charge charges total price",
    "currency": "currency currencycode priceunit",
    "kind": "itemcategory kind linetype itemtype chargetype category type",
}
AMOUNTS = NAMES["amount"].split()
REQUIRED = ("account", "item_group", "amount")
_CODE = re.compile(r"[(\[ ]([A-Z]{3})[)\]]?$")


def letters(text: str) -> str:
    """Return the letters and digits of a name, in lower case."""
    return "".join(each for each in text.casefold() if each.isalnum())


def currency_of(header: str) -> str | None:
    """Return the currency that a column's name has at its end, as in `Amount (USD)`."""
    match = _CODE.search(header.strip())
    return match[1] if match else None


def columns_of(header: Sequence[str]) -> dict[str, int]:
    """Return where each column is, of those that the file has.

    Raises InvoiceError if two columns have the same name, as far as it matters.
    """
    places: dict[str, list[int]] = {}
    for place, name in enumerate(header):
        bare = letters(_CODE.sub("", name.strip()))
        for each in {letters(name), bare if bare in AMOUNTS else ""} - {""}:
            places.setdefault(each, []).append(place)
    found = {}
    for column, names in NAMES.items():
        for name in names.split():
            if name in places:
                if len(places[name]) > 1:
                    twice = " and ".join(repr(header[place]) for place in places[name])
                    raise InvoiceError(f"two columns for {column}: {twice}")
                found[column] = places[name][0]
                break
    return found


def missing(found: dict[str, int]) -> list[str]:
    """Return the required columns that a file lacks."""
    return [column for column in REQUIRED if column not in found]
