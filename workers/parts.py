"""The Runtime of this worker process: joined once before the first task, let go after the last."""

from webapp.core.runtime import Runtime

_joined: list[Runtime] = []


def join(runtime: Runtime) -> None:
    """Give every task of this process its parts."""
    _joined[:] = [runtime]


def are_joined() -> bool:
    """Whether somebody has joined them already."""
    return bool(_joined)


def runtime() -> Runtime:
    """The parts, for a task."""
    if not _joined:
        message = "this process has no Runtime: tasks run only in a worker"
        raise RuntimeError(message)
    return _joined[0]


def leave() -> None:
    """Forget the parts; whoever made them closes them."""
    _joined.clear()
