"""All three vendors, simulated, and a Runtime beside them."""

from collections.abc import Iterator

import pytest

from tests.vendors import Vendors, running_beside, sign_in
from webapp.core.runtime import Runtime
from webapp.models import UserSession
from webapp.sandbox import serve


@pytest.fixture(scope="module")
def running_vendors() -> Iterator[Vendors]:
    with serve(port=0) as sandbox:
        yield Vendors(sandbox)


@pytest.fixture
def vendors(running_vendors: Vendors) -> Vendors:
    """As new."""
    running_vendors.reset()
    return running_vendors


@pytest.fixture
def runtime(tables_url: str, vendors: Vendors) -> Iterator[Runtime]:
    """On SQLite and on PostgreSQL."""
    with running_beside(vendors, tables_url) as made:
        yield made


@pytest.fixture
def ada(runtime: Runtime) -> UserSession:
    return sign_in(runtime, "ada")


@pytest.fixture
def bob(runtime: Runtime) -> UserSession:
    return sign_in(runtime, "bob")
