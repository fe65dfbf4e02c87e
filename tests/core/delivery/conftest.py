"""A yard: people, connections and a vendor's inbox, on both databases."""

from collections.abc import Iterator

import pytest

from tests.forwarding import Yard, opened_yard


@pytest.fixture
def yard(database_url: str) -> Iterator[Yard]:
    with opened_yard(database_url) as made:
        yield made
