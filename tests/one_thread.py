"""A loop whose time jumps and that has no threads, so that no order of events is left to these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fanwise.testing.jumping_loop import JumpingLoop


class OneThreadLoop(JumpingLoop):
    """A loop that does right away what is for another thread."""

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future
