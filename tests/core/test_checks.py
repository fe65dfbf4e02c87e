"""Nothing starts with a fault, every fault is named at once, and production refuses whatever is unsafe."""

from pathlib import Path

import pytest
from sqlalchemy import update

from tests import instances
from webapp.core import checks, credentials, users
from webapp.errors import SettingsError
from webapp.lib import schema
from webapp.lib.database import Database
from webapp.lib.ids import uuid7
from webapp.lib.secret import Secret
from webapp.models import Connection, ConnectionState, Credential, CredentialKind

#: What a production instance may start with.
SAFE = {
    "stage": "production",
    "public_url": "https://hitchpost.example",
    "allow_private_vendors": "false",
    "baselime_client_id": "hitchpost",
    "baselime_client_secret": "Jq83-dkRw-91ms",
}


def _faults(database_url: str = "sqlite:///x.db", **more: str) -> list[str]:
    return checks.of_settings(instances.settings(database_url, **more), {})


def test_development_starts_with_keys_alone() -> None:
    assert _faults() == []


def test_production_starts_when_everything_is_safe() -> None:
    assert _faults(**SAFE) == []


@pytest.mark.parametrize(
    ("unsafe", "named"),
    [
        ({"vault_keys": ""}, "VAULT_KEYS"),
        ({"vault_keys": "k1:AAAA"}, "VAULT_KEYS"),
        ({"secret_key": ""}, "SECRET_KEY"),
        ({"secret_key": "short"}, "SECRET_KEY"),
        ({"secret_key": "a" * 64}, "SECRET_KEY"),
        ({"database_url": "mysql://root@localhost/x"}, "DATABASE_URL"),
        ({"database_url": "nonsense"}, "DATABASE_URL"),
        ({"broker_url": "amqp://localhost"}, "BROKER_URL"),
        ({"smtp_url": "mail.example.org:25", "mail_from": "post@example.org"}, "SMTP_URL"),
        ({"smtp_url": "smtp://mail.example.org"}, "MAIL_FROM"),
        ({"smtp_url": "smtp://mail.example.org", "mail_from": "Hitchpost"}, "MAIL_FROM"),
        ({"webhook_url": "https://app.example/hooks"}, "WEBHOOK_SECRET"),
        ({"webhook_url": "https://app.example/hooks", "webhook_secret": "whsec_c2hvcnQ="}, "WEBHOOK_SECRET"),
        ({"webhook_secret_previous": "canary42"}, "WEBHOOK_SECRET_PREVIOUS"),
    ],
)
def test_no_stage_starts_with_it(unsafe: dict[str, str], named: str) -> None:
    faults = _faults(**unsafe)
    assert [fault.split(" ")[0].rstrip(":") for fault in faults] == [f"HITCHPOST_{named}"]


@pytest.mark.parametrize(
    ("unsafe", "named"),
    [
        ({"public_url": "http://hitchpost.example"}, "PUBLIC_URL"),
        ({"debug": "true"}, "DEBUG"),
        ({"allow_private_vendors": "true"}, "ALLOW_PRIVATE_VENDORS"),
        ({"baselime_client_id": "sandbox-client"}, "BASELIME_CLIENT_ID"),
        ({"baselime_client_secret": "sandbox-client-secret"}, "BASELIME_CLIENT_SECRET"),
        ({"baselime_events_url": "http://events.example"}, "BASELIME_EVENTS_URL"),
        ({"librato_url": "http://metrics.example"}, "LIBRATO_URL"),
        ({"database_url": "postgresql://hitchpost@db.example/hitchpost"}, "DATABASE_URL"),
        ({"broker_url": "redis://redis.example:6379/0"}, "BROKER_URL"),
    ],
)
def test_production_refuses_what_is_unsafe(unsafe: dict[str, str], named: str) -> None:
    faults = _faults(**(SAFE | unsafe))
    assert [fault.split(" ")[0].rstrip(":") for fault in faults] == [f"HITCHPOST_{named}"]
    assert _faults(**unsafe) == [] or named in {"DATABASE_URL", "BROKER_URL"}


def test_production_takes_services_on_loopback_without_a_password() -> None:
    local = {
        "database_url": "postgresql://hitchpost@127.0.0.1/hitchpost",
        "broker_url": "redis://localhost/0",
    }
    assert _faults(**(SAFE | local)) == []


def test_every_fault_is_named_at_once_and_no_value_is() -> None:
    bad = {"secret_key": "short-canary", "public_url": "http://hitchpost.example", "debug": "true"}
    faults = _faults(**(SAFE | bad))
    assert len(faults) == 3
    assert "canary" not in "".join(faults)


def test_production_refuses_a_secret_that_others_can_read(tmp_path: Path) -> None:
    key = tmp_path / "vault_keys"
    key.write_text(instances.VAULT_KEYS)
    settings = instances.settings("sqlite:///x.db", **SAFE)
    key.chmod(0o644)
    (fault,) = checks.of_settings(settings, {"HITCHPOST_VAULT_KEYS_FILE": str(key)})
    assert fault.startswith("HITCHPOST_VAULT_KEYS_FILE ")
    key.chmod(0o600)
    assert checks.of_settings(settings, {"HITCHPOST_VAULT_KEYS_FILE": str(key)}) == []


def test_a_start_opens_nothing_when_a_setting_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "hitchpost.db"
    with pytest.raises(SettingsError):
        checks.start(instances.settings(f"sqlite:///{path}", secret_key=""))
    assert not path.exists()


def test_a_database_without_tables_is_named(database_url: str) -> None:
    with pytest.raises(SettingsError, match="hitchpost migrate"):
        checks.start(instances.settings(database_url))


def test_a_database_out_of_reach_is_named() -> None:
    settings = instances.settings("postgresql://nobody:canary42@127.0.0.1:9/none")
    with pytest.raises(SettingsError, match="cannot be used") as refused:
        checks.start(settings)
    assert "canary42" not in str(refused.value)


def test_a_newer_schema_does_not_stop_older_code(database_url: str) -> None:
    instances.migrate(database_url)
    database = Database(database_url)
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'newer'")
    assert not schema.is_behind(database)
    database.close()
    checks.start(instances.settings(database_url)).close()


def test_a_key_that_stored_secrets_need_cannot_be_missing(database_url: str) -> None:
    with instances.running(database_url) as runtime:
        with runtime.database.write() as session:
            user = users.ensure_external(session, "u_1")
            connection = Connection(
                id=uuid7(),
                user_id=user.id,
                provider="baselime",
                client_key="c",
                label="acme",
                state=ConnectionState.ACTIVE,
            )
            session.add(connection)
            session.flush()
            parts = {"key": Secret("ingest-key")}
            credentials.add(session, runtime.vault, connection.id, CredentialKind.INGEST_KEY, parts)
        assert checks.of_database(runtime) == []
        other = instances.settings(database_url, vault_keys=credentials.make_vault_key())
        with pytest.raises(SettingsError, match=f"lacks key '{runtime.vault.active}'"):
            checks.start(other)
        with runtime.database.write() as session:
            session.execute(update(Credential).values(sealed=None))
        checks.start(other).close()
