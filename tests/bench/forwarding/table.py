"""The table: ratios of what was measured side by side, against what they must and should be."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One ratio. `pairs` are (ours, beside), measured in turns: the median of their ratios counts."""

    name: str
    #: a ratio, or (without a baseline) a figure as it is
    must: float
    aim: float
    pairs: Sequence[tuple[float, float]]
    #: more is better; else less is
    more: bool = True
    unit: str = ""
    #: how ratios are written
    write: Callable[[float], str] = "{:.2f}".format

    @property
    def seen(self) -> float:
        """The ratio."""
        return median(ours / beside for ours, beside in self.pairs)

    @property
    def reached(self) -> str:
        """`aim`, `must` or `no`; a row without bounds is there to be looked at."""
        if not self.aim:
            return "–"
        for name, bound in (("aim", self.aim), ("must", self.must)):
            if self.seen >= bound if self.more else self.seen <= bound:
                return name
        return "no"

    def cells(self) -> Sequence[str]:
        """As the table shows it."""
        sign = "≥" if self.more else "≤"
        ours, beside = (median(values) for values in zip(*self.pairs, strict=True))
        figures = f"{_figure(ours)} : {_figure(beside)} {self.unit}".strip() if self.unit else ""
        bounds = (f"{sign} {self.write(bound)}" if bound else "–" for bound in (self.must, self.aim))
        return (self.name, *bounds, f"**{self.write(self.seen)}**", self.reached, figures)


def times(ratio: float) -> str:
    """`12×`."""
    return f"{ratio:.0f}×" if ratio >= 10 else f"{ratio:.1f}×"


def one_of(ratio: float) -> str:
    """`1/30`."""
    return f"1/{1 / ratio:.0f}"


def seconds(value: float) -> str:
    """`1.5 s`."""
    return f"{value:.1f} s"


def markdown(rows: Sequence[Row]) -> str:
    """The whole table."""
    head = ("same run, in turns", "must", "aim", "seen", "reached", "ours : beside")
    lines = [head, ("---",) * len(head), *(row.cells() for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _figure(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
