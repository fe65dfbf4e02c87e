"""Settings are read once, from values or files, and every fault is told without a value."""

from pathlib import Path

import pytest

from webapp.errors import SettingsError
from webapp.settings import Settings


def test_without_an_environment_it_is_a_development_instance() -> None:
    settings = Settings.load({})
    assert not settings.is_production
    assert settings.embedded


def test_a_value_may_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("from a file\n")
    settings = Settings.load({"HITCHPOST_SECRET_KEY_FILE": str(path)})
    assert settings.secret_key.get_secret_value() == "from a file"


def test_every_fault_is_told_at_once_by_name_and_never_by_value(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load(
            {
                "HITCHPOST_PORT": "canary-port",
                "HITCHPOST_PUBLIC_URL": "ftp://canary:pw@host",
                "HITCHPOST_SECRET_KEY_FILE": str(tmp_path / "missing"),
                "HITCHPOST_VAULT_KEYS": "canary",
                "HITCHPOST_VAULT_KEYS_FILE": "canary",
            }
        )
    told = str(caught.value)
    assert len(caught.value.faults) == 4
    for name in ("PORT", "PUBLIC_URL", "SECRET_KEY_FILE", "VAULT_KEYS"):
        assert f"HITCHPOST_{name}" in told
    assert "canary" not in told


@pytest.mark.parametrize(
    "name", ["SECRET_KEY", "VAULT_KEYS", "BASELIME_CLIENT_SECRET", "DATABASE_URL", "BROKER_URL"]
)
def test_no_secret_setting_shows_in_a_repr(name: str) -> None:
    assert "canary" not in repr(Settings.load({f"HITCHPOST_{name}": "canary"}))


@pytest.mark.parametrize(
    ("given", "kept"),
    [("https://x.example/", "https://x.example"), ("http://127.0.0.1:8000", "http://127.0.0.1:8000")],
)
def test_an_address_is_kept_without_its_last_slash(given: str, kept: str) -> None:
    assert Settings.load({"HITCHPOST_PUBLIC_URL": given}).public_url == kept


def test_lists_are_separated_by_spaces() -> None:
    settings = Settings.load({"HITCHPOST_RETURN_ORIGINS": "https://a.example https://b.example"})
    assert settings.return_origins == ("https://a.example", "https://b.example")
