"""What Hitchpost does, with no web framework and no queue."""
