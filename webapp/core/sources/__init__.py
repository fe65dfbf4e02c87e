"""Sources: GitHub and its like, whose signed deliveries become a user's events."""

from webapp.core.sources.making import GITHUB, Made, change_secret, end, make
from webapp.core.sources.receiving import Delivery, Received, SignatureWrong, receive

__all__ = [
    "GITHUB",
    "Delivery",
    "Made",
    "Received",
    "SignatureWrong",
    "change_secret",
    "end",
    "make",
    "receive",
]
