"""Credentials of a few seconds kept alive through kills, outages and lost answers, counted at the vendor."""

import pytest

from tests.faults.credentials import Plan, campaign


@pytest.mark.timeout(240)
def test_no_token_is_spent_twice_and_no_connection_lost_that_could_be_kept() -> None:
    plan = Plan(credentials=40, cycles=4, life=3.0, loss=0.05, strict=0.0, freezes=False, pause=1.2)
    with campaign(plan) as made:
        report = made.run()
    assert report.wrong == []
    assert not report.lost
    assert len(report.cycles) == plan.credentials
