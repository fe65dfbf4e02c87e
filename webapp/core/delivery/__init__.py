"""Delivery: due destinations, turn by turn, each read on from its cursor and sent to its vendor."""

from webapp.core.delivery.draining import drain, work_left
from webapp.core.delivery.previewing import Preview, preview

__all__ = ["Preview", "drain", "preview", "work_left"]
