"""Standard vendors are one setting: each fault is told by its place, and none by its value."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.authorization_servers import entry
from webapp.core import checks
from webapp.errors import SettingsError
from webapp.settings import Settings

ISSUER = "https://id.vendor.test"


def load(vendors: object) -> Settings:
    return Settings.load({"HITCHPOST_OAUTH2": vendors if isinstance(vendors, str) else json.dumps(vendors)})


def faults(vendors: object) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(vendors)
    assert "canary" not in str(caught.value)
    return caught.value.faults


def test_there_may_be_none_and_there_may_be_several() -> None:
    assert not load("").oauth2
    assert list(load({"north": entry(ISSUER), "south": entry(ISSUER)}).oauth2) == ["north", "south"]


def test_the_setting_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "vendors.json"
    path.write_text(json.dumps({"north": entry(ISSUER)}))
    assert Settings.load({"HITCHPOST_OAUTH2_FILE": str(path)}).oauth2["north"].issuer == ISSUER


def test_an_entry_needs_a_title_an_issuer_and_a_client_and_no_more() -> None:
    (vendor,) = load({"north": {"title": "N", "issuer": ISSUER, "client_id": "c"}}).oauth2.values()
    assert vendor.client_secret.get_secret_value() == ""
    assert vendor.scopes == "openid offline_access"
    assert vendor.events_url == ""


def test_an_issuer_is_kept_to_the_letter() -> None:
    assert load({"north": entry(f"{ISSUER}/tenant/")}).oauth2["north"].issuer == f"{ISSUER}/tenant/"


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"issuer": "ftp://canary.test"}, "north.issuer"),
        ({"issuer": "https://canary.test/?a=b"}, "north.issuer"),
        ({"issuer": "https://user:canary@vendor.test"}, "north.issuer"),
        ({"events_url": "canary"}, "north.events_url"),
        ({"title": ""}, "north.title"),
        ({"title": "canary\x1b"}, "north.title"),
        ({"client_id": "can ary"}, "north.client_id"),
        ({"client_secret": "canary\n"}, "north.client_secret"),
        ({"client_secret": 7}, "north.client_secret"),
        ({"scopes": ["canary"]}, "north.scopes"),
        ({"parameters": {"state": "canary"}}, "north.parameters"),
        ({"canaries": "canary"}, "north.canaries"),
    ],
)
def test_a_fault_is_told_by_its_place(changed: dict[str, Any], place: str) -> None:
    (fault,) = faults({"north": entry(ISSUER) | changed})
    assert fault.startswith(f"HITCHPOST_OAUTH2 {place.replace('canaries', '')}")


def test_every_fault_is_told_at_once() -> None:
    assert len(faults({"north": entry("x"), "south": {"title": "S"}, "Bad-name": entry(ISSUER)})) == 4


@pytest.mark.parametrize("text", ["canary", "[]", '{"north": "canary"}', '{"a": 1, "a": 2}', "{"])
def test_what_is_no_object_of_entries_is_refused(text: str) -> None:
    assert len(faults(text)) == 1


def test_no_secret_of_an_entry_shows_in_a_repr() -> None:
    settings = load({"north": entry(ISSUER, client_secret_previous="older-canary")})
    assert "canary" not in repr(settings)


def test_a_name_of_a_provider_of_its_own_cannot_be_taken() -> None:
    told = checks.of_settings(load({"librato": entry(ISSUER)}))
    assert any(fault.startswith("HITCHPOST_OAUTH2 librato:") for fault in told)


def test_production_takes_only_https_and_no_client_of_a_sandbox() -> None:
    vendors = {"north": entry("http://id.vendor.test", events_url="http://e.test", client_id="sandbox-1")}
    environ = {"HITCHPOST_STAGE": "production", "HITCHPOST_OAUTH2": json.dumps(vendors)}
    told = [one for one in checks.of_settings(Settings.load(environ)) if "OAUTH2" in one]
    assert len(told) == 3
