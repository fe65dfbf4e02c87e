"""The Celery app: its queues, its beat table, and a configuration that keeps it a doorbell.

The database is the truth; what Celery carries says only "look". So results, retries
and late acknowledgement are off, only an empty JSON body travels, and a lost ring costs one poll.
"""

from collections.abc import Mapping
from typing import Any

from celery import Celery
from kombu import Queue

from webapp.core.runtime import Bell
from webapp.settings import Settings

#: The task that answers each bell.
TASK_OF: Mapping[Bell, str] = {
    Bell.DELIVERY: "hitchpost.delivery.drain",
    Bell.REFRESH: "hitchpost.refresh.sweep",
    Bell.ENVIRONMENTS: "hitchpost.environments.sweep",
    Bell.NOTICES: "hitchpost.notices.sweep",
}

#: How often beat rings, in seconds; workers poll by themselves too.
EVERY: Mapping[str, float] = {
    TASK_OF[Bell.DELIVERY]: 2.0,
    TASK_OF[Bell.REFRESH]: 10.0,
    TASK_OF[Bell.ENVIRONMENTS]: 30.0,
    TASK_OF[Bell.NOTICES]: 10.0,
    "hitchpost.upkeep.note_beat": 10.0,
    "hitchpost.upkeep.tend_installs": 10.0,
    "hitchpost.upkeep.sweep": 60.0,
}

_given: list[Settings] = []


def use(settings: Settings) -> None:
    """Configure by these settings instead of the environment; call it before anything else looks."""
    _given[:] = [settings]


def configuration(settings: Settings) -> dict[str, Any]:
    """What Celery is told, for a Redis broker or for the one inside the web process."""
    return {
        "broker_url": settings.broker_url.get_secret_value(),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": _transport(settings),
        "accept_content": ["json"],
        "task_serializer": "json",
        "event_serializer": "json",
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        "task_acks_late": False,
        "task_default_queue": "hitchpost.upkeep",
        "task_routes": {f"hitchpost.{room}.*": {"queue": f"hitchpost.{room}"} for room in _ROOMS},
        # Without this list a worker listens to the default queue alone.
        "task_queues": [Queue(f"hitchpost.{room}") for room in _ROOMS],
        "worker_prefetch_multiplier": 2,
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_soft_shutdown_timeout": 25.0,
        "worker_enable_soft_shutdown_on_idle": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "beat_scheduler": "celery.beat:Scheduler",
        "beat_max_loop_interval": 1,
        "beat_schedule": {
            name: {"task": name, "schedule": seconds, "options": {"expires": seconds}}
            for name, seconds in EVERY.items()
        },
        "timezone": "UTC",
        "enable_utc": True,
    }


_ROOMS = ("delivery", "refresh", "environments", "notices", "upkeep")


def _transport(settings: Settings) -> dict[str, Any]:
    if settings.embedded:
        return {"polling_interval": 0.02}
    return {"socket_connect_timeout": 2.0, "socket_keepalive": True, "health_check_interval": 25}


def _configuration() -> dict[str, Any]:
    return configuration(_given[0] if _given else Settings.load())


app = Celery("hitchpost", include=[f"workers.{room}" for room in (*_ROOMS, "crew")], set_as_current=True)
app.add_defaults(_configuration)
