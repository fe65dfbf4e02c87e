"""What a worker does once it is ready."""

import gc

from celery.signals import worker_ready

import workers.crew  # noqa: F401 - it listens


def test_a_worker_that_is_ready_leaves_what_it_is_made_of_out_of_collections() -> None:
    gc.unfreeze()
    worker_ready.send(sender=None)
    assert gc.get_freeze_count() > 0
    gc.unfreeze()
