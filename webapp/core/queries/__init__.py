"""Every list that is only read. `owner_id` is a member's own id, or None for everybody's (admins)."""
