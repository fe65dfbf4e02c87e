"""How long to wait before trying again: pure functions of the count and a random number."""

import random

_CAP_DOUBLINGS = 40


def full_jitter(failures: int, *, base: float, cap: float, draw: float | None = None) -> float:
    """Seconds to wait after `failures` (1, 2, …): uniform up to min(cap, base·2^(failures-1)).

    Never less than a tenth of that, so that an unlucky draw does not turn a wait into a spin. `draw` in
    [0, 1) replaces chance.
    """
    ceiling = min(cap, base * 2.0 ** min(failures - 1, _CAP_DOUBLINGS))
    share = random.random() if draw is None else draw  # noqa: S311 - spreading load, not keeping a secret
    return ceiling * (0.1 + 0.9 * share)
