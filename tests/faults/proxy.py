"""A TCP proxy between two of the parts, whose weather a test can change: cut, delayed, held, broken off.

It tries its targets in turn, so that it is also a small balancer before several web processes.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, Self

Write = Callable[[bytes], Awaitable[None]]

_CHUNK = 65_536
_CONNECT_SECONDS = 2.0
#: No wait before the connection is gone, and what was not sent is dropped: a RST.
_RESET = struct.pack("ii", 1, 0)


class HungUp(Exception):
    """The weather ends this connection."""

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__()
        self.reset = reset


class Weather(Protocol):
    """What happens to every chunk that passes; `back` is the way of answers. May raise HungUp."""

    async def carry(self, chunk: bytes, write: Write, *, back: bool) -> None: ...


@dataclass(frozen=True)
class Clear:
    """Everything passes."""

    async def carry(self, chunk: bytes, write: Write, *, back: bool) -> None:
        await write(chunk)


@dataclass(frozen=True)
class Delayed:
    """Everything passes, later."""

    seconds: float

    async def carry(self, chunk: bytes, write: Write, *, back: bool) -> None:
        await asyncio.sleep(self.seconds)
        await write(chunk)


@dataclass(frozen=True)
class Dripping:
    """Everything passes, a few bytes at a time."""

    size: int = 16
    seconds: float = 0.01

    async def carry(self, chunk: bytes, write: Write, *, back: bool) -> None:
        for start in range(0, len(chunk), self.size):
            await write(chunk[start : start + self.size])
            await asyncio.sleep(self.seconds)


@dataclass(frozen=True)
class Truncated:
    """Requests pass; an answer breaks off in its middle. With `reset` by a RST."""

    reset: bool = False

    async def carry(self, chunk: bytes, write: Write, *, back: bool) -> None:
        if not back:
            await write(chunk)
            return
        await write(chunk[: len(chunk) // 2])
        raise HungUp(reset=self.reset)


@dataclass(frozen=True)
class Broken:
    """Nothing passes and every connection ends. With `reset` by a RST."""

    reset: bool = False

    async def carry(self, chunk: bytes, write: Write, *, back: bool) -> None:
        raise HungUp(reset=self.reset)


class Held:
    """Nothing passes and nothing ends: a partition. When it is over, its connections are reset."""

    async def carry(self, chunk: bytes, write: Write, *, back: bool) -> None:
        await asyncio.Event().wait()


class Leg:
    """One address that leads to the targets, in the weather of the moment."""

    def __init__(self, streets: "Streets", targets: Sequence[tuple[str, int]]) -> None:
        self.targets = targets
        self.weather: Weather = Clear()
        self._streets = streets
        self._open: set[asyncio.Task[None]] = set()
        self._turn = 0
        self.port = 0

    def change(self, weather: Weather) -> None:
        """From now on; connections that a partition held end, and so do those of a broken street."""
        before, self.weather = self.weather, weather
        if isinstance(before, Held) or isinstance(weather, Broken):
            self._streets.call(self._end_all())

    def clear(self) -> None:
        """Good weather again."""
        self.change(Clear())

    async def listen(self, host: str) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, host, 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _end_all(self) -> None:
        for task in list(self._open):
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self._join(reader, writer)
        except HungUp as end:
            _hang_up(writer, reset=end.reset)
        except asyncio.CancelledError:
            _hang_up(writer, reset=True)
        except OSError:
            _hang_up(writer, reset=False)
        finally:
            self._open.discard(task)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if isinstance(self.weather, Held):
            await asyncio.Event().wait()
        if isinstance(self.weather, Broken):
            raise HungUp(reset=self.weather.reset)
        far_reader, far_writer = await self._reach()
        pumps = [
            asyncio.ensure_future(self._pump(reader, far_writer, back=False)),
            asyncio.ensure_future(self._pump(far_reader, writer, back=True)),
        ]
        try:
            # The first side that ends takes the other along: none of our protocols half-closes.
            done, _ = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in done:
                pump.result()
            _hang_up(writer, reset=False)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            _hang_up(far_writer, reset=False)

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._turn += 1
        for step in range(len(self.targets)):
            host, port = self.targets[(self._turn + step) % len(self.targets)]
            with suppress(OSError, TimeoutError):
                return await asyncio.wait_for(asyncio.open_connection(host, port), _CONNECT_SECONDS)
        raise HungUp

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, back: bool) -> None:
        async def write(piece: bytes) -> None:
            sink.write(piece)
            await sink.drain()

        while chunk := await source.read(_CHUNK):
            await self.weather.carry(chunk, write, back=back)


class Streets:
    """Legs, all in the loop of one thread."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        """`host` is where they all begin."""
        self._host = host
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def lead_to(self, *targets: tuple[str, int]) -> Leg:
        """A leg to these, listening."""
        leg = Leg(self, targets)

        async def listen() -> None:
            self._servers.append(await leg.listen(self._host))

        self.call(listen())
        return leg

    def call(self, work: Awaitable[None]) -> None:
        """Run `work` in the loop, and wait for it."""

        async def run() -> None:
            await work

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _hang_up(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    if reset:
        with suppress(OSError):
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()
    else:
        writer.close()
