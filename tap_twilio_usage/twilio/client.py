"""Requests to one of Twilio's APIs: signed, limited in number, retried, and read."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import requests
from requests.auth import AuthBase

from tap_twilio_usage.logs.heartbeat import Heartbeat
from tap_twilio_usage.logs.redaction import Redactor
from tap_twilio_usage.twilio import responses
from tap_twilio_usage.twilio.auth import Credentials
from tap_twilio_usage.twilio.concurrency import Throttle
from tap_twilio_usage.twilio.limits import Limits
from tap_twilio_usage.twilio.retry import Retry, with_retries
from tap_twilio_usage.twilio.transport import Decoder, Json, Request, Response, Transport


class Client:
    """Requests to one API with one set of credentials; safe to use from many threads."""

    def __init__(  # noqa: PLR0913  (each is one thing, passed by name)
        self,
        base_url: str,
        credentials: Credentials,
        *,
        setting: str,
        redactor: Redactor,
        heartbeat: Heartbeat,
        connections: int,
        limits: Limits,
        logger: logging.Logger,
    ) -> None:
        """Open no connection yet.

        `setting` is the name of the setting that holds the URL. The `redactor` is applied to what
        servers say in errors; the `heartbeat` knows which requests are under way.
        """
        self.base_url = base_url
        self.limits = limits
        self.redactor = redactor
        self._credentials = credentials
        self._setting = setting
        self._heartbeat = heartbeat
        self._logger = logger
        self._has_succeeded = False
        self._transport = Transport(base_url, setting, connections, limits)
        self._throttle = Throttle(connections, limits.initial_concurrency, logger)

    def get(
        self,
        path: str,
        query: str = "",
        *,
        name: str = "",
        decoder: Decoder | None = None,
        retry_if_denied: bool = True,
    ) -> Json:
        """Return the JSON object of the response.

        Numbers in it are left as text, so that no price ever becomes a float. A 401 or 403 is
        retried once these credentials have worked: Twilio sends some in the middle of good runs.
        What the `decoder` can read is returned as it decodes it, in a dictionary. Logs show the
        `name`, or else the path.
        Raises ApiError: Denied, NotFound, RetriesExhausted, InvalidResponseError, or itself.
        """
        request = Request(path, query, label=name, decoder=decoder)
        return self._call(request, retry_if_denied=retry_if_denied)

    def post(
        self,
        path: str,
        query: str = "",
        *,
        name: str,
        json: Json | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Json:
        """Return the JSON object of the response to a POST, read as `get` reads it.

        For requests that only read: a POST is retried as a GET is. Logs show the `name`.
        """
        return self._call(Request(path, query, json=json, form=form, label=name))

    def _call(self, request: Request, *, retry_if_denied: bool = True) -> Json:
        limits = self.limits
        attempt = with_retries(
            self._attempt,
            limits,
            self._log_retry,
            tries_if_denied=(
                limits.tries_when_denied if self._has_succeeded and retry_if_denied else 1
            ),
        )
        with self._heartbeat.over(f"{request}"):
            body = attempt(request)
        self._has_succeeded = True
        return body

    def _attempt(self, request: Request) -> Json:
        response, auth = self._send(request)
        if response.status == requests.codes.unauthorized and self._credentials.renew(auth):
            response, _ = self._send(request)
        if requests.codes.ok <= response.status < requests.codes.multiple_choices:
            return responses.read(request, response, self.redactor)
        raise responses.error_of(
            request,
            response,
            redactor=self.redactor,
            limits=self.limits,
            url_setting=self._setting,
            credential_settings=self._credentials.to_check,
        )

    def _send(self, request: Request) -> tuple[Response, AuthBase]:
        """Return the response, and what signed the request."""
        with self._throttle.slot() as slot:
            auth = self._credentials.sign()  # not before: a token may expire in the queue
            response = self._transport.send(request, auth)
            if response.status < requests.codes.server_error:
                slot.was_accepted = response.status != requests.codes.too_many_requests
            return response, auth

    def _log_retry(self, retry: Retry) -> None:
        self._heartbeat.retried_requests.append(f"{retry.request}")
        self._logger.warning(
            "%s: %s; try %d after %.1f s", retry.request, retry.error, retry.number, retry.wait
        )
