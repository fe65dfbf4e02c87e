"""Streams: a user's events in order, and how destinations read them on: lease, page, settle."""

from webapp.core.streams.leases import void_leases

__all__ = ["void_leases"]
