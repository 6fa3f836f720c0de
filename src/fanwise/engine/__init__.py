"""The engine: runs plans and records what comes of them."""

from fanwise.engine.capture import capturing
from fanwise.engine.engine import GRACE_S, Engine
from fanwise.engine.parts import Services
from fanwise.engine.placement import LOCAL, PROCESS

__all__ = ["GRACE_S", "LOCAL", "PROCESS", "Engine", "Services", "capturing"]
