"""Disconnect means gone: however a refresh and a disconnect meet, nothing is left here or at the vendor."""

from tests.faults.disconnects import run

ROUNDS = 60


def test_no_refresh_brings_a_disconnected_grant_back(database_url: str) -> None:
    report = run(database_url, ROUNDS, seed=11)
    assert report.faults == []
    assert sum(report.outcomes.values()) == ROUNDS
    assert report.outcomes.get("fenced", 0) >= 5, "too few met in the middle to show anything"


def test_what_an_unwilling_vendor_did_not_take_back_is_all_that_stays_and_not_for_long(
    database_url: str,
) -> None:
    report = run(database_url, ROUNDS // 2, seed=12, unwilling=0.6)
    assert report.faults == []
    assert report.kept >= ROUNDS // 8, "too few were refused to show anything"
