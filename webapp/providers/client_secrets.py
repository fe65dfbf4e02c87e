"""Our secrets at a vendor: while it changes over there are two, and the one that worked last goes first."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from pydantic import SecretStr

from webapp.errors import ClientRefused
from webapp.lib.secret import Secret
from webapp.providers.base import Client

T = TypeVar("T")


class ClientSecrets:
    """The secrets of one Client, those that are empty left out."""

    def __init__(self, *secrets: SecretStr) -> None:
        self._secrets = [Secret(one.get_secret_value()) for one in secrets if one.get_secret_value()]

    @property
    def first(self) -> Secret:
        """The one to try first; an empty one when there is none."""
        return self._secrets[0] if self._secrets else Secret("")

    def ask(self, client: Client, ask: Callable[[Client], T]) -> T:
        """Ask as `client`; if the vendor refuses it, with the other secret, which goes first from then on.

        A refused Client is refused before the code or refresh token is looked at (RFC 6749 §3.2.1).
        """
        try:
            return ask(client)
        except ClientRefused:
            others = [one for one in self._secrets if one != client.client_secret]
            if not others:
                raise
        answer = ask(replace(client, client_secret=others[0]))
        self._secrets = [*others, client.client_secret]
        return answer
