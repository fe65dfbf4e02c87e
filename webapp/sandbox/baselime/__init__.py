"""Baselime, simulated from its public docs: the console, OAuth, the Events API and the OTel API."""
