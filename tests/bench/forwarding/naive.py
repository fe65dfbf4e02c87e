"""How most apps do it: a Celery task for every event, sent by `requests`, acknowledged late."""

import os
from typing import Any

import requests
from celery import Celery

app = Celery("naive", broker=os.environ.get("NAIVE_BROKER"))
app.conf.task_acks_late = True
app.conf.task_ignore_result = True


@app.task
def forward(event: dict[str, Any]) -> None:
    """Send one event to the vendor."""
    requests.post(os.environ["NAIVE_VENDOR"], json=event, timeout=12).raise_for_status()
