"""Bodies: read whole, bounded, and unpacked when they come as gzip."""

import zlib

from flask import request

from webapp.api.problems import BAD_REQUEST, TOO_LARGE, UNSUPPORTED_MEDIA_TYPE
from webapp.api.refusals import Refusal

#: Of a body, before and after decompression.
MAX_BYTES = 6_000_000

_GZIP_WINDOW = 31  # zlib's word for "with a gzip header", RFC 1952


def read_body(max_bytes: int = MAX_BYTES) -> bytes:
    """The request's body, decompressed.

    Raises Refusal: 413 beyond `max_bytes` (before or after decompression), 415 for an encoding other than
    gzip, 400 for a gzip stream that is broken.
    """
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip"}:
        detail = "Bodies are taken plain or with Content-Encoding: gzip."
        raise Refusal(UNSUPPORTED_MEDIA_TYPE, detail, headers={"Accept-Encoding": "gzip"})
    # One byte more than allowed: a body of no stated length is cut off there, and not refused.
    request.max_content_length = max_bytes + 1
    payload = request.get_data(cache=False)
    if len(payload) > max_bytes:
        raise Refusal(TOO_LARGE, f"The body has more than {max_bytes:,} bytes.")
    return _unpack(payload, max_bytes) if encoding == "gzip" else payload


def _unpack(payload: bytes, max_bytes: int) -> bytes:
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    try:
        body = unpacker.decompress(payload, max_bytes + 1)
    except zlib.error:
        raise Refusal(BAD_REQUEST, "The body is not the gzip stream that its header promises.") from None
    if len(body) > max_bytes:
        raise Refusal(TOO_LARGE, f"The body unpacks to more than {max_bytes:,} bytes.")
    if not unpacker.eof or unpacker.unused_data:
        raise Refusal(BAD_REQUEST, "The gzip stream is cut short, or followed by something else.")
    return body
