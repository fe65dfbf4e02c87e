"""The Celery crew: thin tasks over the core."""
