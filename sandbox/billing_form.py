"""The form in which the billing groups API takes its requests, which Twilio does not document.

By default it is a JSON body with all parameters and the token of the page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from sandbox.errors import ApiError, invalid, not_allowed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.wire import Body

Place = Literal["json", "form", "query"]
TokenPlace = Literal["body", "query", "get"]

_TOKEN, _SIZE = "pageToken", "pageSize"


@dataclass(frozen=True)
class BillingForm:
    """Where a request has its parameters, that of the next page its token, and how answers look.

    A page larger than `max_page_size` is refused; 0: made smaller. What is not in its place is
    refused with the status `refusal`; 0: ignored. `array` is the name of the array of records,
    `status` that of an answer with records.
    """

    parameters: Place = "json"
    next_page: TokenPlace = "body"
    max_page_size: int = 0
    refusal: int = 400
    array: str = "records"
    status: int = 200

    @property
    def key(self) -> str:
        """The name of the array according to `meta`; in Twilio's documentation it is another."""
        return "items" if self.array == "records" else self.array

    def read(self, method: str, body: Body) -> dict[str, Any]:
        """Return the parameters of a request; raise ApiError if it is refused."""
        if method == "GET":
            if _TOKEN not in body.query:
                raise not_allowed("POST")
            return self._sized(_typed(body.query))
        found = self._parameters(body)
        if found is None and self.refusal:
            raise self._refused("body: a JSON object is needed")
        in_body = body.form() if self.parameters == "form" else body.json_object() or {}
        tokens = {"body": in_body.get(_TOKEN), "query": body.query.get(_TOKEN)}
        token = tokens.pop(self.next_page, None)
        if self.refusal and any(each is not None for each in tokens.values()):
            raise self._refused(_TOKEN)
        return {**self._sized(found or {}), _TOKEN: token}

    def _parameters(self, body: Body) -> Mapping[str, Any] | None:
        if self.parameters == "json":
            return body.json_object()
        return _typed(body.form() if self.parameters == "form" else body.query) or None

    def _sized(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        size = parameters.get(_SIZE)
        if self.max_page_size and isinstance(size, int) and size > self.max_page_size:
            raise invalid(f"{_SIZE}: at most {self.max_page_size}")
        return {**parameters}

    def _refused(self, name: str) -> ApiError:
        return ApiError(self.refusal, 20001, f"Invalid {name}")


def _typed(texts: Mapping[str, str]) -> dict[str, Any]:
    size = texts.get(_SIZE, "")
    return {**texts, _SIZE: int(size)} if size.isdecimal() else {**texts}


def read_form(text: str) -> BillingForm:
    """Return the form of a text such as `parameters=form,next_page=get`; raise ValueError."""
    defaults = vars(BillingForm())
    values = dict(setting.split("=") for setting in text.split(","))
    if not values.keys() <= defaults.keys():
        raise ValueError(text)
    form = BillingForm(**{name: type(defaults[name])(value) for name, value in values.items()})
    if form.parameters not in get_args(Place) or form.next_page not in get_args(TokenPlace):
        raise ValueError(text)
    return form
