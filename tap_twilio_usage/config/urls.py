"""What is wrong with a URL in the settings."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from tap_twilio_usage.twilio.connections import is_loopback

# Twilio ended the hosts without an edge location on 2026-04-28.
REGIONAL_HOST = re.compile(
    r"(?:api|oauth)\.((?:[a-z-]+\.)?)(ie1|au1|br1|de1|jp1|sg1|us2)\.twilio\.com"
)
API_HOSTS = {"api.twilio.com", "api.us1.twilio.com", "api.ashburn.us1.twilio.com"}


def problem(setting: str, text: str) -> str | None:
    """Return what is wrong with the URL of a setting; None if it can be used."""
    try:
        url = urlsplit(text)
        host, _ = (url.hostname or "").rstrip("."), url.port
    except ValueError:
        return "is not a URL; use one such as https://api.twilio.com"
    if url.scheme not in {"http", "https"} or not host or "\\" in text:
        return "is not a URL; use one such as https://api.twilio.com"
    if url.username is not None or url.password is not None or url.query or url.fragment:
        return "must not contain a user, password, query or fragment"
    if url.scheme == "http" and not is_loopback(host):
        return "must use https, because each request contains credentials (http on loopback only)"
    if host.endswith("twilio.com"):
        return _problem_at_twilio(setting, url, host)
    return None


def _problem_at_twilio(setting: str, url: SplitResult, host: str) -> str | None:
    if match := REGIONAL_HOST.fullmatch(host):
        edge, region = match.groups()
        why = f"belongs to the Region {region.upper()}" if edge else "ended on 2026-04-28"
        return (
            f"{host} {why}, and the API of the Region US1 has the usage of all Regions: remove "
            f"{setting}, and use credentials of US1"
        )
    if setting == "oauth_token_url":
        if url.path.strip("/"):
            return None
        return "has no path; use https://oauth.twilio.com/v2/token"
    if setting == "api_url" and host not in API_HOSTS:
        return f"{host} has no usage records; use https://api.twilio.com"
    if url.path.strip("/"):
        return f"must have no path; use https://{host}"
    return None
