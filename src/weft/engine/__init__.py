"""The engine: runs plans and records what comes of them."""

from weft.engine.capture import capturing
from weft.engine.engine import GRACE_S, Engine, Quiet
from weft.engine.parts import Parts

__all__ = ["GRACE_S", "Engine", "Parts", "Quiet", "capturing"]
