"""The vendors as code: endpoints, abilities and quirks."""
