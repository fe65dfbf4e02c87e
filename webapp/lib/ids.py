"""Row ids that sort by the time of their making: UUID version 7 (RFC 9562 §5.7)."""

import os
import random
import time
import uuid


def uuid7() -> uuid.UUID:
    """A new UUIDv7: 48 bits of Unix milliseconds, 74 random bits."""
    return uuid.UUID(int=_uuid7(int.from_bytes(os.urandom(10))))


def new_request_id() -> str:
    """Names a request in its log line: a UUIDv7 whose chance costs no system call, to be guessed at will."""
    digits = f"{_uuid7(random.getrandbits(80)):032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _uuid7(chance: int) -> int:
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | chance
    value &= ~(0xF000 << 64) & ~(0xC000 << 48)
    return value | (0x7000 << 64) | (0x8000 << 48)
