"""The vendors, simulated on loopback: strangers that import nothing of ours and know only the facts."""

from webapp.sandbox.server import Sandbox, serve
from webapp.sandbox.world import World, new_world

__all__ = ["Sandbox", "World", "new_world", "serve"]
