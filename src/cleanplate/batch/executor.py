"""A cluster as Python's own ``Executor``, for work that is a function of its arguments."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import ray

from cleanplate.batch.cluster import connect


class ClusterExecutor(Executor):
    """Calls functions on a cluster, each in a process of its own, again where a machine fails.

    What a function returns comes back to this machine: keep it small.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        cpus: int | None = None,
        gpus: float = 0.0,
        retries: int = 3,
    ) -> None:
        """
        Args:
            address: of a Ray cluster that runs; None for this machine.
            cpus: to use of this machine; None for all.
            gpus: for each call.
            retries: tries after the first, for a machine's fault.

        Raises:
            InputError: there is no cluster at ``address``.
        """
        self._is_ours = connect(address, cpus)
        # A process for each call: its peak memory is its own, and a crash is its own alone.
        self._call: Any = ray.remote(num_cpus=1, num_gpus=gpus, max_calls=1, max_retries=retries)(
            _called
        )
        self._refs: list[Any] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See ``Executor``."""
        ref = self._call.remote(fn, args, kwargs)
        self._refs.append(ref)
        return ref.future()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """See ``Executor``."""
        if cancel_futures or not wait:
            for ref in self._refs:
                ray.cancel(ref, force=True)
        elif self._refs:
            ray.wait(self._refs, num_returns=len(self._refs))
        self._refs.clear()
        if self._is_ours:
            self._is_ours = False
            ray.shutdown()


def _called(function: Callable[..., Any], arguments: Any, named: Any) -> Any:
    return function(*arguments, **named)
