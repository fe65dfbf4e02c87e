"""A yard: people, connections and a vendor's inbox, on both databases."""

from tests.forwarding import postgres_yard_url, sqlite_yard_url, yard

__all__ = ["postgres_yard_url", "sqlite_yard_url", "yard"]
