"""Delivery: due destinations, turn by turn, each read on from its cursor and sent to its vendor."""

from webapp.core.delivery.draining import drain, work_left

__all__ = ["drain", "work_left"]
