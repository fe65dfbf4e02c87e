"""A request that is too large is cut by its records, and each piece is whole."""

import random
from typing import Any

import pytest

from tests import otlp as made
from webapp.errors import Invalid
from webapp.lib import otlp
from webapp.lib.otlp import SIGNALS

SIGNAL_NAMES = list(SIGNALS)


def several(name: str, *groups: tuple[str, ...]) -> Any:
    """One request of several resources."""
    request = SIGNALS[name].request()
    for at, texts in enumerate(groups):
        request.MergeFrom(made.export(name, *texts, service=f"service {at}"))
    return request


@pytest.mark.parametrize("name", SIGNAL_NAMES)
def test_no_record_is_lost_or_moved_and_no_piece_is_too_large(name: str) -> None:
    for _ in range(20):
        sizes = [random.randint(1, 300) for _ in range(random.randint(1, 60))]
        texts = [f"{at} {'x' * size}" for at, size in enumerate(sizes)]
        half = random.randint(0, len(texts))
        request = several(name, tuple(texts[:half]) or ("-",), tuple(texts[half:]) or ("-",))
        cut = otlp.cut(SIGNALS[name], request, below_bytes=1_000)
        bodies = [piece.SerializeToString() for piece in cut.pieces]
        assert cut.rejected == 0
        assert max(map(len, bodies)) < 1_000
        assert [text for body in bodies for text in made.texts_of(name, body)] == made.texts_of(
            name, request.SerializeToString()
        )


@pytest.mark.parametrize("name", SIGNAL_NAMES)
def test_every_piece_names_its_resource_and_scope(name: str) -> None:
    request = several(name, ("a" * 400, "b" * 400), ("c" * 400,))
    pieces = otlp.cut(SIGNALS[name], request, below_bytes=700).pieces
    services = [otlp.service_of(SIGNALS[name], piece) for piece in pieces]
    assert services == ["service 0", "service 0", "service 1"]
    assert all(b"tests" in piece.SerializeToString() for piece in pieces)


def test_a_metric_is_cut_by_its_data_points_and_stays_what_it_is() -> None:
    request = made.export("metrics", *("x" * 400 for _ in range(3)))
    pieces = otlp.cut(SIGNALS["metrics"], request, below_bytes=700).pieces
    metrics = [piece.resource_metrics[0].scope_metrics[0].metrics[0] for piece in pieces]
    assert [len(metric.sum.data_points) for metric in metrics] == [1, 1, 1]
    assert {
        (one.name, one.unit, one.sum.is_monotonic, one.sum.aggregation_temporality) for one in metrics
    } == {("requests", "1", True, 2)}


@pytest.mark.parametrize("name", SIGNAL_NAMES)
def test_a_record_that_is_too_large_alone_is_rejected_and_the_others_are_not(name: str) -> None:
    request = made.export(name, "first", "x" * 5_000, "last")
    cut = otlp.cut(SIGNALS[name], request, below_bytes=1_000)
    assert cut.rejected == 1
    assert made.texts_of(name, b"".join(piece.SerializeToString() for piece in cut.pieces)) == [
        "first",
        "last",
    ]


@pytest.mark.parametrize("name", SIGNAL_NAMES)
def test_a_request_that_would_grow_many_times_over_is_refused_before_it_has(name: str) -> None:
    request = made.export(name, *("x" for _ in range(1_000)), service="s" * 800)
    with pytest.raises(Invalid, match="cannot be parted"):
        otlp.cut(SIGNALS[name], request, below_bytes=1_000)


@pytest.mark.parametrize("name", SIGNAL_NAMES)
def test_the_same_request_is_cut_alike(name: str) -> None:
    request = made.export(name, *(f"{at}" * 50 for at in range(50)))
    first, second = (
        [
            piece.SerializeToString(deterministic=True)
            for piece in otlp.cut(SIGNALS[name], request, below_bytes=999).pieces
        ]
        for _ in range(2)
    )
    assert first == second
