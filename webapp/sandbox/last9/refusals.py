"""How Last9 says no: `{"error": "…"}` with a status."""


class RefusedError(Exception):
    """A request that is not served; `status` and the text make the answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
