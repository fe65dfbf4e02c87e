"""The table of credentials is made as its command makes it, in small: what it says then is not judged."""

import pytest

from tests.bench.credentials import CALLERS, lines


@pytest.mark.timeout(120)
def test_reads_refreshes_and_looks_are_measured() -> None:
    table = list(lines(seconds=0.2, count=10, sizes=(200, 400)))
    assert len(table) == 2 + 2 * len(CALLERS) + 1 + 2
    assert all(line.count("|") == 4 for line in table)
