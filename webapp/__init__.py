"""Hitchpost: connections kept alive, events forwarded in order."""
