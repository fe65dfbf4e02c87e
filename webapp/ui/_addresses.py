"""Where to go next: only to a page of this instance, whatever `next` says (OWASP, Unvalidated Redirects)."""

import re

from flask import request, url_for

#: A path of our own: one slash, then what our own paths are made of. `//host`, `/\host` and `\t` never match.
_LOCAL = re.compile(r"/(?:[A-Za-z0-9._~-][A-Za-z0-9._~/-]*)?(?:\?[A-Za-z0-9._~/&=%:+,-]*)?", re.ASCII)
_LONGEST = 500


def local(address: str | None) -> str | None:
    """`address` if it is a plain path of this instance, else None."""
    if not address or len(address) > _LONGEST or not _LOCAL.fullmatch(address):
        return None
    path = address.partition("?")[0]
    return None if "//" in path or "/.." in path else address


def wanted(default: str = "home.page") -> str:
    """The `next` of this request if it is local, else the page named `default`."""
    return local(request.values.get("next")) or url_for(default)
