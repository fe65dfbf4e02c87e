"""Cutting a request that is too large into several, each whole: resource and scope are repeated.

Sizes are reckoned from above, so that nothing has to be serialized to be measured.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from webapp.errors import Fault, Invalid
from webapp.lib.otlp.signals import Message, Signal

#: What a message adds to its parent beside itself at most: its tag, and a length of up to five bytes; with
#: what may then be added to the lengths of those above it.
_FRAME_BYTES = 12
#: All pieces together are at most so many times the request, and one more piece.
_REPEATED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The pieces of a request, in its order, and how many records were too large for any."""

    pieces: Sequence[Message]
    rejected: int


def cut(signal: Signal, request: Message, *, below_bytes: int) -> Cut:
    """Pieces that are each below so many bytes. The same request is always cut alike.

    Raises Invalid when they would be several times as large as the request.
    """
    pieces: list[_Piece] = []
    rejected = written = 0
    most = _REPEATED * int(request.ByteSize()) + below_bytes
    for shells, record in _records(signal, request):
        cost = pieces[-1].cost(shells, record) if pieces else 0
        if pieces and pieces[-1].size + cost < below_bytes:
            pieces[-1].add(shells, record)
        elif (cost := (piece := _Piece(signal)).cost(shells, record)) < below_bytes:
            piece.add(shells, record)
            pieces.append(piece)
        else:
            rejected += 1
            continue
        written += cost
        if written > most:
            what = "repeats a resource or scope so large that its records cannot be parted"
            raise Invalid([Fault("", what)], f"The body {what}.")
    return Cut(pieces=[piece.message for piece in pieces], rejected=rejected)


class _Piece:
    """A request that grows; the shells that its last record hangs from are open for the next one."""

    def __init__(self, signal: Signal) -> None:
        self.message = signal.request()
        self.size = 0
        self._signal = signal
        self._open: list[tuple[Message, Message]] = []

    def cost(self, shells: Sequence[Message], record: Message) -> int:
        """How many bytes `record` would add at most, with those of its shells that are not open."""
        missing = shells[self._shared(shells) :]
        return sum(int(one.ByteSize()) + _FRAME_BYTES for one in (*missing, record))

    def add(self, shells: Sequence[Message], record: Message) -> None:
        self.size += self.cost(shells, record)
        del self._open[self._shared(shells) :]
        for depth in range(len(self._open), len(shells)):
            own = self._signal.levels[depth](self._last).add()
            own.CopyFrom(shells[depth])
            self._open.append((shells[depth], own))
        self._signal.levels[-1](self._last).append(record)

    @property
    def _last(self) -> Message:
        return self._open[-1][1] if self._open else self.message

    def _shared(self, shells: Sequence[Message]) -> int:
        pairs = zip(shells, self._open, strict=False)
        return next((at for at, (one, (other, _)) in enumerate(pairs) if one is not other), len(self._open))


def _records(
    signal: Signal, message: Message, shells: tuple[Message, ...] = ()
) -> Iterator[tuple[tuple[Message, ...], Message]]:
    """Every record, and the messages above it, each without its children."""
    depth = len(shells)
    for child in signal.levels[depth](message):
        if depth == len(signal.levels) - 1:
            yield shells, child
        else:
            yield from _records(signal, child, (*shells, _shell(signal, child, depth + 1)))


def _shell(signal: Signal, message: Message, depth: int) -> Message:
    copy = type(message)()
    copy.CopyFrom(message)
    del signal.levels[depth](copy)[:]
    return copy
