"""Which Last9 host may be called, and what people mean by "base URL".

Last9 docs, "Getting started with API", Base URL: `https://{domain}/api/{version}/organizations/{org}/{endpoint}`.
Clients of theirs take `https://app.last9.io`, `…/api` and `…/api/v4` alike, so the form does too.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

_ORGANIZATION = re.compile(r"[A-Za-z0-9._-]{1,128}\Z")
_PATH = re.compile(r"(?:/api)?(?:/v\d+)?(?:/organizations/(?P<organization>[^/]+))?(?:/.*)?\Z")


class Refused(ValueError):
    """Not an address we may call; the message is a sentence for the person who typed it."""


@dataclass(frozen=True, slots=True)
class Address:
    """A host, and the organization if the address named one."""

    host: str
    organization: str | None


def read_address(text: str, allowed: Sequence[str], override: str = "") -> Address:
    """Take the forms that people have. Raises Refused.

    `allowed` are the operator's host patterns; `override` is the operator's own base address, if set: it may
    be typed as it is, port and all.
    """
    text = text.strip()
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        fault = _fault(parts)
    except ValueError:
        raise Refused("is not an address") from None
    if override and f"{parts.scheme}://{parts.netloc}" == override:
        host = parts.netloc
    elif fault:
        raise Refused(fault)
    else:
        host = check_host(parts.hostname or "", allowed)
    path = _PATH.match(parts.path.rstrip("/"))
    if path is None:
        raise Refused("has a path that is not Last9's: copy it from the API Access page")
    organization = path["organization"]
    if organization is not None and not is_organization(organization):
        raise Refused("names an organization with characters that no slug has")
    return Address(host, organization)


def _fault(parts: SplitResult) -> str | None:
    if parts.username or parts.password:
        return "must not hold a user name or password"
    if parts.query or parts.fragment:
        return "must end before any ? or #"
    if parts.scheme != "https":
        return "must begin with https://"
    return None if parts.port in {None, 443} else "must not name a port"


def check_host(host: str, allowed: Sequence[str]) -> str:
    """`host`, lower case, if one of the operator's patterns allows it; Refused if none does."""
    host = host.lower()
    if any(_matches(host, pattern.lower()) for pattern in allowed):
        return host
    raise Refused(f"names the host {host[:100]!r}, which this Hitchpost may not call ({', '.join(allowed)})")


def is_organization(slug: str) -> bool:
    """Whether `slug` can stand in a path as it is."""
    return bool(_ORGANIZATION.match(slug)) and slug not in {".", ".."}


def _matches(host: str, pattern: str) -> bool:
    """`*.` stands for exactly one label, so that no look-alike ending gets in."""
    if not pattern.startswith("*."):
        return host == pattern
    label, dot, rest = host.partition(".")
    return (
        bool(label and dot) and rest == pattern[2:] and label.replace("-", "a").isalnum() and host.isascii()
    )
