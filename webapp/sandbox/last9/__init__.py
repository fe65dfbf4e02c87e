"""Last9, simulated: tokens, change events and their read-back."""
