"""What may spend a code: a browser that opens the callback as a page, with one code of the right shape.

Link scanners (HEAD), prefetches, images and frames also reach the address, and would burn a person's code
(RFC 9700 §4.2.4; browsers tell it by Fetch Metadata). One that says nothing is believed.
"""

import re
from dataclasses import dataclass

from werkzeug.datastructures import Headers, MultiDict

from webapp.core import installs
from webapp.lib.secret import Secret

_AHEAD = re.compile(r"prefetch|prerender|preview", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Arrival:
    """What an address brought: a code, the vendor's no (`declined`), or neither (what is wrong with it)."""

    code: Secret | None = None
    declined: bool = False
    fault: str = ""


def opened_as_a_page(method: str, headers: Headers) -> bool:
    """Whether a person's browser opens this address itself, as far as it says."""
    ahead = (headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"))
    return (
        method == "GET"
        and headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
        and headers.get("Sec-Fetch-Dest", "document") == "document"
        and not any(_AHEAD.search(said) for said in ahead)
    )


def read_arrival(args: "MultiDict[str, str]", shape: re.Pattern[str] = installs.CODE) -> Arrival:
    """The one code of the address. Two codes, or one of another shape, are none."""
    codes = args.getlist("code")
    if "error" in args:
        return Arrival(declined=True)
    if not codes:
        return Arrival(fault="it holds no code")
    if len(codes) > 1:
        return Arrival(fault="it holds more than one code")
    if not shape.fullmatch(codes[0]):
        return Arrival(fault="its code has a shape that the vendor does not make")
    return Arrival(code=Secret(codes[0]))


def read_answer(args: "MultiDict[str, str]") -> installs.Answer:
    """What stands beside the code: a state and an issuer, each only if it is there exactly once."""
    state = _once(args, "state")
    return installs.Answer(state=Secret(state) if state else None, issuer=_once(args, "iss"))


def _once(args: "MultiDict[str, str]", name: str) -> str | None:
    """The value; "", which fits nothing, when there are several; None when there is none."""
    values = args.getlist(name)
    return None if not values else values[0] if len(values) == 1 else ""
