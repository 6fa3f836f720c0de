"""The executor of a Ray cluster: workers on its nodes, which are reached through a bridge.

Implements `ports.Executor`. Nothing is started, or even imported, before it is first used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

import msgspec

from fanwise.errors import AttemptError, WorkerRefusedError
from fanwise.executors.process import RECYCLED_AFTER, public
from fanwise.ports import ActionCall, CallSpec, ChunkFeed, Clock

if TYPE_CHECKING:
    from fanwise.executors.ray_cluster import RayCluster


class RayExecutor:
    """Implements `ports.Executor` on the cluster at `address`, or on a local one if it is None.

    A local one has `processes` CPUs and this `environment`. From another one at most so many are
    taken, or all if it is None.
    """

    def __init__(
        self,
        clock: Clock,
        address: str | None,
        processes: int | None,
        environment: Mapping[str, str],
    ) -> None:
        self._clock = clock
        self._address = address
        self._processes = processes
        self._environment = dict(environment) if address is None else public(environment)
        self._cluster: RayCluster | None = None

    async def execute(self, feed: ChunkFeed, call: ActionCall) -> None:
        """Make the attempts that `feed` hands out, until none will come any more."""
        from fanwise.executors.ray_cluster import RayCluster
        from fanwise.executors.remote import RemoteVisit

        _require_ray()
        portable = await asyncio.to_thread(call.portable)
        _require_no_parameter(portable.spec)
        if self._cluster is None or not self._cluster.is_open:
            self._cluster = RayCluster(
                self._address, self._processes, self._environment, RECYCLED_AFTER
            )
        cluster = self._cluster
        with cluster.attached(), cluster.keeping(portable):
            pool, lacks = await cluster.pool(tuple(sorted({*call.runs_on})))
            for line in lacks:
                feed.notice(line)
            stays = msgspec.structs.replace(portable, snapshot=b"")
            await RemoteVisit(
                feed, call, pool, self._clock, stays, b"{}", may_carry_secrets=False
            ).run()

    @property
    def bridge(self) -> int | None:
        """The number of the process that is connected to the cluster, if there is one."""
        return None if self._cluster is None else self._cluster.pid

    def close(self) -> None:
        """End all that has been started."""
        if self._cluster is not None:
            self._cluster.close()


def _require_ray() -> None:
    if find_spec("ray") is None:
        raise WorkerRefusedError(
            "the executor ray needs the package ray, which isn't installed here.",
            hint="Install it with: pip install 'fanwise[ray]'",
        )


def _require_no_parameter(spec: CallSpec) -> None:
    """Raise `AttemptError` for a call that needs a secret that nodes don't have themselves."""
    for path in spec.secrets:
        if path[0] != "secrets":
            raise AttemptError(
                f"an input of {spec.path} names {'.'.join(path)}, which is secret, and secrets "
                "don't go through Ray.",
                hint="Name it as secrets.NAME, and set FANWISE_SECRET_NAME on the nodes.",
            )
