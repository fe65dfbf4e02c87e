"""Whatever is pasted where Last9's refresh token belongs is named for what it is, and never repeated."""

import base64
import json
from datetime import UTC, datetime

import pytest

from webapp.errors import Invalid
from webapp.providers.last9.paste import FIELD, read_paste

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def jwt(scope: str = "write", **claims: object) -> str:
    payload = {
        "aud": ["app.last9.io"],
        "organization_slug": "acme",
        "scopes": [scope],
        "exp": 2_000_000_000,
        "email": "ada@acme.example",
    } | claims
    kept = {name: value for name, value in payload.items() if value is not None}
    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(kept)}.c2lnbmF0dXJlLW9mLXRoaXM"


WRITE, READ, DELETE = jwt("write"), jwt("read"), jwt("delete")


def config(**entries: object) -> str:
    return json.dumps({"api_config": entries})


def entry(token: str, url: str = "https://app.last9.io/api/v4", org: str = "acme") -> dict[str, str]:
    return {"refresh_token": token, "api_base_url": url, "org": org}


@pytest.mark.parametrize(
    ("text", "scopes"),
    [
        (WRITE, ["write"]),
        (f"  \n{WRITE}\n\n", ["write"]),
        (f'"{WRITE}"', ["write"]),
        (f"{READ}\n{WRITE}\n{DELETE}", ["read", "write", "delete"]),
        (f"{READ} {WRITE}", ["read", "write"]),
        (f"Read: {READ}\nWrite: {WRITE}\nDelete: {DELETE}", ["read", "write", "delete"]),
        (f"WRITE_REFRESH_TOKEN={WRITE}", ["write"]),
        (f"write refresh token: {WRITE}", ["write"]),
        (f"write: {jwt(scopes=None)}", ["write"]),
        (jwt(scopes=None), ["write"]),
        (jwt(exp=None), ["write"]),
        (config(write=entry(WRITE)), ["write"]),
        (config(read=entry(READ), write=entry(WRITE), delete=entry(DELETE)), ["read", "write", "delete"]),
    ],
)
def test_the_forms_that_people_have_are_understood(text: str, scopes: list[str]) -> None:
    assert [pasted.scope for pasted in read_paste(text, now=NOW).tokens] == scopes


def test_an_api_config_tells_address_and_organization_too() -> None:
    paste = read_paste(config(write=entry(WRITE)), now=NOW)
    assert (paste.base_url, paste.organization) == ("https://app.last9.io/api/v4", "acme")


HEAD, BODY, TAIL = WRITE.split(".")

BAD = {
    "nothing": ("", "is empty"),
    "only spaces": (" \n\t ", "is empty"),
    "a truncated JWT": (f"{HEAD}.{BODY}", "last part is missing"),
    "a JWT cut inside its claims": (f"{HEAD}.{BODY[:-7]}.{TAIL}", "cut or changed"),
    "a JWT cut at its front": (f"{HEAD[5:]}.{BODY}.{TAIL}", "cut or changed"),
    "a JWT without its signature": (f"{HEAD}.{BODY}.", "three parts is empty"),
    "two JWTs run together": (f"{WRITE}{READ}", "this has 5"),
    "one part of a JWT": (BODY, "this has none"),
    "a word": ("hello", "this has none"),
    "a space inside": (f"{WRITE[:40]} {WRITE[40:]}", "broken by a space or a line break"),
    "line breaks inside": (
        f"{WRITE[:40]}\n{WRITE[40:80]}\n{WRITE[80:]}",
        "broken by a space or a line break",
    ),
    "a labelled token with a break": (
        f"write: {WRITE[:40]}\n{WRITE[40:]}",
        "broken by a space or a line break",
    ),
    "smart double quotes": (f"\u201c{WRITE}\u201d", "curly quotes"),
    "smart single quotes": (f"\u2018{WRITE}\u2019", "curly quotes"),
    "guillemets": (f"\u00ab{WRITE}\u00bb", "curly quotes"),
    "a zero-width space": (f"{WRITE[:30]}\u200b{WRITE[30:]}", "invisible character"),
    "a byte order mark": (f"\ufeff{WRITE}", "invisible character"),
    "a no-break space": (f"{WRITE}\u00a0", "invisible character"),
    "a soft hyphen": (f"{WRITE[:30]}\u00ad{WRITE[30:]}", "invisible character"),
    "a token masked with stars": (f"{WRITE[:20]}********", "masked or shortened"),
    "a token masked with dots": (f"{WRITE[:20]}...", "masked or shortened"),
    "a token masked with an ellipsis": (f"{WRITE[:20]}\u2026", "masked or shortened"),
    "a token masked with bullets": ("\u2022\u2022\u2022\u2022\u2022\u2022", "masked or shortened"),
    "the example of the docs": (
        "eyJhbGciOiXXXXXXXXXXXXX.eyJleHXXXXXXXXX.XXXXXXXXXOwuvUNA",
        "masked or shortened",
    ),
    "a placeholder in angle brackets": ("<WRITE_REFRESH_TOKEN>", "placeholder"),
    "a shell variable": ("$LAST9_REFRESH_TOKEN", "placeholder"),
    "a template variable": ("${refresh_token}", "placeholder"),
    "YOUR_TOKEN_HERE": ("YOUR_TOKEN_HERE", "placeholder"),
    "a Bearer header's value": (f"Bearer {WRITE}", "begins with “Bearer”"),
    "a Basic header's value": ("Basic YWRhOnBhc3M=", "Basic authentication"),
    "a whole header": (f"X-LAST9-API-TOKEN:{WRITE}", "whole header"),
    "an Authorization header": (f"Authorization:{WRITE}", "whole header"),
    "a curl command": (f"curl -H 'X-LAST9-API-TOKEN: Bearer {WRITE}' https://app.last9.io", "curl command"),
    "an address": ("https://app.last9.io/settings/api-access", "is an address"),
    "an e-mail address": ("ada@acme.example", "e-mail address"),
    "an id": ("6092d6f0-3bfa-4d62-9d0b-5bc7ae6518a1", "an id"),
    "a Librato API token": ("24f9fb21" * 8, "Librato API token"),
    "a Baselime code": ("4fa87ba8cc7f30e91ad2ab1ad21c1b3e", "Baselime code or key"),
    "a key of this Hitchpost": ("hp_abcd1234_secret", "key of this Hitchpost"),
    "a GitHub token": ("ghp_abcdefghijklmnop", "GitHub token"),
    "a fine-grained GitHub token": ("github_pat_abcdefghijkl", "GitHub token"),
    "a GitLab token": ("glpat-abcdefghijkl", "GitLab token"),
    "a Slack token": ("xoxb-123-abc", "Slack token"),
    "a Stripe key": ("sk_test_abcdef", "key of another service"),
    "an AWS access key": ("AKIAIOSFODNN7EXAMPLE", "AWS access key"),
    "a Google API key": ("AIzaSyA-abc", "Google API key"),
    "a Grafana token": ("glsa_abc_def", "Grafana token"),
    "a New Relic key": ("NRAK-ABCDEF", "New Relic key"),
    "a private key": ("-----BEGIN_PRIVATE_KEY-----", "private key"),
    "another service's JWT": (jwt(organization_slug=None, iss="https://issuer.example"), "another service"),
    "a JWT without an organization": (jwt(organization_slug=None), "names no organization"),
    "a JWT with an empty organization": (jwt(organization_slug=""), "names no organization"),
    "a JWT whose organization is a number": (jwt(organization_slug=7), "names no organization"),
    "an expired token": (jwt(exp=1_700_000_000), "expired on 14 November 2023"),
    "a header that is no header": (f"{part({'typ': 'JWT'})}.{BODY}.{TAIL}", "not a token's header"),
    "claims that are a list": (f"{HEAD}.{part([1])}.{TAIL}", "cut or changed"),
    "claims with the wrong characters": (f"{HEAD}.{BODY}*.{TAIL}", "character that no token has"),
    "the same scope twice": (f"{WRITE}\n{jwt(email='bob@acme.example')}", "more than once for write"),
    "two organizations": (f"{WRITE}\n{jwt('read', organization_slug='other')}", "more than one organization"),
    "a label that lies": (f"write: {READ}", "labelled “write” but is a read token"),
    "a label without a token": ("write:", "empty behind its label"),
    "JSON that breaks off": ('{"api_config": {', "looks like JSON but is not JSON"),
    "JSON with a key twice": ('{"a":1,"a":2}', "repeats the key"),
    "a JSON list": ("[1]", "without an api_config"),
    "other JSON": ('{"hello": 1}', "without an api_config"),
    "the token endpoint's answer": (
        json.dumps({"access_token": "x", "refresh_token": WRITE}),
        "token endpoint",
    ),
    "an api_config of nothing": (config(), "without read, write or delete"),
    "an api_config without its token": (config(write={"org": "acme"}), "missing in api_config.write"),
    "an api_config with an empty token": (config(write=entry(" ")), "missing in api_config.write"),
    "an api_config entry that is a string": (config(write="x"), "missing in api_config.write"),
    "an api_config with scopes mixed up": (config(write=entry(READ)), "labelled “write” but is a read token"),
    "an api_config of two organizations": (
        config(read=entry(READ), write=entry(WRITE, org="other")),
        "more than one organization",
    ),
    "an api_config of two addresses": (
        config(read=entry(READ), write=entry(WRITE, url="https://b.last9.io")),
        "more than one base address",
    ),
}


@pytest.mark.parametrize(("text", "words"), BAD.values(), ids=BAD.keys())
def test_a_bad_paste_is_named_for_what_it_is(text: str, words: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_paste(text, now=NOW)
    (fault,) = caught.value.faults
    assert fault.where == FIELD
    assert words in fault.what
    assert TAIL not in str(caught.value)
    assert BODY[:20] not in str(caught.value)


def test_at_least_sixty_kinds_were_tried() -> None:
    assert len(BAD) >= 60
