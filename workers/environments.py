"""Environments: fetches the vendors' lists that are due."""

from webapp.core import environments
from workers import parts
from workers.app import app


@app.task(name="hitchpost.environments.sweep", ignore_result=True)
def sweep() -> None:
    """Fetch what is due."""
    environments.sweep(parts.runtime())
