"""Destinations: where events go, how far they came, and how to stop, resume or repeat them."""

from uuid import UUID

from pydantic import Field

from webapp.api.inputs import Input
from webapp.api.operations import Resource
from webapp.core.queries.paging import MOST_ROWS, PAGE_ROWS

resource = Resource("Destinations")


class DestinationsQuery(Input):
    """Which destinations to list."""

    connection: UUID | None = None
    after: str | None = Field(None, max_length=500, description="The `next` of the page before.")
    limit: int = Field(PAGE_ROWS, ge=1, le=MOST_ROWS)
