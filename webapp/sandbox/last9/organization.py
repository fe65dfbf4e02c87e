"""The organization, its clusters, and the data sources that change events go to."""

from dataclasses import dataclass

from webapp.sandbox.desk import Desk
from webapp.sandbox.last9.tokens import ORGANIZATION
from webapp.sandbox.signing import stable


@dataclass(frozen=True)
class Cluster:
    """A metric store with the credentials to read from it."""

    name: str
    region: str
    is_default: bool

    @property
    def id(self) -> str:
        return stable(f"last9 cluster {self.name}", 32)

    @property
    def username(self) -> str:
        return f"sandbox-read-{stable(f'last9 reader {self.name}', 8)}"

    @property
    def password(self) -> str:
        return f"sandbox-read-password-{stable(f'last9 password {self.name}', 16)}"


CLUSTERS = (Cluster("sandbox-metrics", "ap-south-1", True), Cluster("sandbox-archive", "us-east-1", False))
CREATED = 1_704_067_200


def organization() -> dict[str, object]:
    # Chosen: `id` is all that a client is known to read.
    return {"id": stable("last9 organization", 32), "slug": ORGANIZATION, "name": "Sandbox organization"}


def read_url(desk: Desk, cluster: Cluster) -> str:
    return f"http://{desk.settings.last9_host}/read/{cluster.id}"


def datasources(desk: Desk) -> list[dict[str, object]]:
    """Return what `GET /datasources` lists: a bare array, with read credentials in `properties`."""
    return [
        {
            "id": stable(f"last9 data source {one.name}", 32),
            "name": one.name,
            "is_default": one.is_default,
            "url": read_url(desk, one),
            "region": one.region,
            "properties": {
                "username": one.username,
                "password": one.password,
                "levitate_cluster_id": one.id,
            },
        }
        for one in CLUSTERS
    ]


def clusters(region: str | None) -> dict[str, object]:
    """Return what `GET /clusters` lists, as the Terraform provider reads it."""
    listed = [
        {
            "id": one.id,
            "name": one.name,
            "region": one.region,
            "default": one.is_default,
            "created_at": CREATED,
            "updated_at": CREATED,
        }
        for one in CLUSTERS
        if region in (None, one.region)
    ]
    return {"status": "success", "data": listed}


def cluster_named(name: str | None) -> Cluster | None:
    """Return the cluster of this data source name; without a name, the default one."""
    return next((one for one in CLUSTERS if (one.is_default if name is None else one.name == name)), None)


def cluster_read_by(desk: Desk, url: object, username: object, password: object) -> Cluster | None:
    """Return the cluster that these read credentials open."""
    given = (url, username, password)
    return next((one for one in CLUSTERS if given == (read_url(desk, one), one.username, one.password)), None)
