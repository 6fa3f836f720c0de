"""The engine: runs plans and records what comes of them."""

from fanwise.catalog import LOCAL, PROCESS
from fanwise.engine.engine import GRACE_S, Engine
from fanwise.engine.handle import RunHandle
from fanwise.engine.services import Services

__all__ = ["GRACE_S", "LOCAL", "PROCESS", "Engine", "RunHandle", "Services"]
