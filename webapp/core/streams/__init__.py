"""Streams: a user's events in order, and the destinations that read them on."""
