"""The engine: runs plans and records what comes of them."""

from fanwise.engine.capture import capturing
from fanwise.engine.engine import GRACE_S, Engine
from fanwise.engine.parts import Services

__all__ = ["GRACE_S", "Engine", "Services", "capturing"]
