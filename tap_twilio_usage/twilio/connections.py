"""Connections for Twilio's APIs: no redirects, no proxy for this machine, no interim responses."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from tap_twilio_usage._compat import override


def is_loopback(host: str) -> bool:
    """Return whether the host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def proxy_variable(environment: Mapping[str, str] = os.environ) -> str:
    """Return the name of the variable with the proxy for https; of two cases, lower case counts."""
    names = {name.lower(): name for name in sorted(environment) if environment[name]}
    found = names.get("https_proxy") or names.get("all_proxy")
    return found or "the proxy in the system's settings"


def session(connections: int) -> requests.Session:
    """Return a session that keeps up to so many connections open."""
    found = _Session()
    for scheme in ("https://", "http://"):
        found.mount(scheme, _Adapter(pool_maxsize=connections))
    return found


class _Session(requests.Session):
    @override
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None: redirects are not followed, and requests would read the whole body."""

    @override
    def merge_environment_settings(self, url: Any, *args: Any, **kwargs: Any) -> Any:
        """Use no proxy for this machine: it would get the credentials, and leads elsewhere."""
        settings = super().merge_environment_settings(url, *args, **kwargs)
        if is_loopback(urlsplit(url).hostname or ""):
            settings["proxies"] = {}
        return settings


class _FinalResponse(HTTPResponse):
    """A response of the standard library, which by itself skips only the interim response 100."""

    @override
    def begin(self) -> None:
        super().begin()
        while self.status < HTTPStatus.OK and self.status != HTTPStatus.SWITCHING_PROTOCOLS:
            self.headers = self.msg = None  # type: ignore[assignment]  # not begun yet
            super().begin()


class _HTTPConnection(HTTPConnection):
    response_class = _FinalResponse


class _HTTPSConnection(HTTPSConnection):
    response_class = _FinalResponse


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class _Adapter(HTTPAdapter):
    @override
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _use_final_responses(self.poolmanager)

    @override
    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):  # has connections of its own
            _use_final_responses(manager)
        return manager


def _use_final_responses(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
