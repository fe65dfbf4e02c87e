"""Deleting a user with everything of theirs: marked at once, then taken away bit by bit.

From the mark on nobody comes in as them and no event of theirs is taken. Their connections end, and what can
be revoked at the vendor is; then rows go, in transactions of a bounded size; last goes the user. Only a
vendor that does not confirm a revocation keeps that back, for as long as it is asked again. Every step may
be repeated, so a kill at any moment costs nothing. The audit's lines stay, without their words.
"""

from webapp.core.deletion.loss import Loss, read_loss
from webapp.core.deletion.marking import begin
from webapp.core.deletion.sweeping import sweep

__all__ = ["Loss", "begin", "read_loss", "sweep"]
