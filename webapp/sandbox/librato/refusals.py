"""How Librato says no, in the envelopes seen and documented (api-docs, response errors)."""

from collections.abc import Mapping


class RefusedError(Exception):
    """A request that is not served; `status` and `body` make the answer."""

    def __init__(self, status: int, body: Mapping[str, object]) -> None:
        super().__init__(f"{status}")
        self.status, self.body = status, body


def wrong_request(text: str, status: int = 400) -> RefusedError:
    return RefusedError(status, {"errors": {"request": [text]}})


def wrong_params(**params: str) -> RefusedError:
    """Name each parameter with what is wrong, as in `{"name": ["is not present"]}`."""
    return RefusedError(400, {"errors": {"params": {name: [text] for name, text in params.items()}}})


def not_found() -> RefusedError:
    # Chosen: only the status is known.
    return wrong_request("Not Found", 404)


def unreadable_json() -> RefusedError:
    """Return what the ingest side says to JSON it cannot map (statsd-librato-backend, PR 91)."""
    return RefusedError(400, {"code": 400, "message": "Unable to process JSON"})
