"""The real services that tests run against: PostgreSQL, Redis, Chromium. Found or fetched, never skipped."""
