"""What lives as long as its process, and the garbage collector, which need not walk it again and again."""

import gc


def settle() -> None:
    """Call it once the process is ready: collect, then leave out of every later collection what is there now.

    A full collection walks all that lives while no thread runs. With the modules, mappers and pages of a
    process in it that takes a tenth of a second, and comes in the midst of somebody's event.
    """
    gc.collect()
    gc.freeze()
