"""Finds or fetches the four services and says where they are, so that no test waits for a download."""

import sys

from tests.services import chromium, oidc, postgres, redis
from tests.services.fetch import Missing


def main() -> int:
    """Print one line a service; 1 if any is missing, with what to do."""
    finders = {
        "PostgreSQL": lambda: "as given" if postgres.given_url() else postgres.find_programs(),
        "Redis": lambda: "as given" if redis.given_url() else redis.find_program(),
        "Chromium": chromium.find_program,
        "oidc-provider": oidc.find_program,
    }
    missing = 0
    for name, find in finders.items():
        try:
            print(f"  {name}: {find()}")  # noqa: T201 - a report to a person
        except Missing as fault:
            missing = 1
            print(f"  {name}: {fault}", file=sys.stderr)  # noqa: T201 - a report to a person
    return missing


if __name__ == "__main__":
    sys.exit(main())
