"""The stream `balance`: what is left of each main account's money, a row a day of running."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import typing as th

from tap_twilio_usage._compat import override
from tap_twilio_usage.config.credentials import Need
from tap_twilio_usage.logs.wording import some
from tap_twilio_usage.money import parsers
from tap_twilio_usage.money.parsers import Fields, InvalidRecordError
from tap_twilio_usage.streams.base import TwilioStream
from tap_twilio_usage.twilio.client import Client
from tap_twilio_usage.twilio.errors import ApiError, InvalidResponseError, NotFound
from tap_twilio_usage.twilio.usage_records import API

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context


class BalanceStream(TwilioStream):
    """The balance of each connection's main account, which pays for its subaccounts too."""

    name = "balance"
    selected_by_default = False
    primary_keys = ("account_sid", "retrieved_on")
    fields: ClassVar[Fields] = {
        "account_sid": parsers.account_sid,
        "balance": parsers.price,
        "currency": parsers.currency,
    }
    schema = th.PropertiesList(
        th.Property("account_sid", th.StringType, required=True, description="Account SID"),
        th.Property("balance", th.NumberType, description="Balance, exact"),
        th.Property("currency", th.StringType, description="Currency of the balance"),
        th.Property(
            "retrieved_on", th.DateType, required=True, description="Day of the request, in GMT"
        ),
        th.Property("retrieved_at", th.DateTimeType, description="Time of the request"),
    ).to_dict()

    @property
    @override
    def need(self) -> Need:
        return Need.MAIN_ACCOUNTS

    @override
    def contexts_to_test(self) -> list[dict[str, Any]]:
        return []

    @override
    def rows(self, context: Context | None) -> Iterator[dict[str, Any]]:
        without, number = [], 0
        for connection, client in self.session.clients.items():
            sid = connection.account_sid or ""
            try:
                row = self._row(sid, client)
            except NotFound:
                without.append(sid)
                continue
            except ApiError as error:
                if not self.session.settings.separates_accounts:
                    raise
                self.fail({"account_sid": sid}, error)
                continue
            number += 1
            yield row
        if without:  # of a connection of a subaccount, that is as it should be
            (self.logger.info if number else self.logger.warning)(
                "Twilio has no balance of %s; it may pay by invoice, or be a subaccount",
                some(without),
            )

    def _row(self, sid: str, client: Client) -> dict[str, Any]:
        path = f"{API}/{sid}/Balance.json"
        answer = client.get(path)
        try:
            record = parsers.parse(answer, self.fields)
        except InvalidRecordError as error:
            raise InvalidResponseError(
                f"{path} answered with a balance that is not valid: {error}"
            ) from None
        if record["account_sid"] != sid:
            raise ApiError(
                f"{path}: the balance is of another account than {sid}, which was requested; "
                "check account_sid"
            )
        self.anomalies.warn_of_new_fields(answer.keys() - self.fields.keys() - {"uri"})
        return {
            **record,
            "retrieved_on": self.session.today().isoformat(),
            "retrieved_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }
