"""The machines, by Ray: steps are begun, waited for, cancelled. Addresses travel, never frames."""

from __future__ import annotations

import logging
import os
import socket
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from cleanplate.batch import storage
from cleanplate.batch.faults import Fault
from cleanplate.batch.needs import Needs
from cleanplate.batch.schedule import Step
from cleanplate.batch.steps import Batch
from cleanplate.batch.worker import carry_out
from cleanplate.errors import InputError

_STORE = 100 << 20  # bytes of Ray's object store: only messages go through it
_PATIENCE = 10  # seconds for a cluster to answer
_QUEUED = 2  # steps that wait for one actor


class _Board:
    """Where the work is; lives on the driver's machine."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str], tuple[str, int, int]] = {}

    def tell(self, name: str, step: str, stage: str, done: int, total: int) -> None:
        self._places[name, step] = stage, done, total

    def forget(self, name: str, step: str) -> None:
        self._places.pop((name, step), None)

    def read(self) -> dict[tuple[str, str], tuple[str, int, int]]:
        return self._places


def _carried_out(batch: Batch, step: Step, board: Any) -> tuple[Any, str]:
    result = carry_out(batch, step, lambda *place: board.tell.remote(*place))
    return result, ray.get_runtime_context().get_node_id()


class _Worker:
    """A process that keeps its engines from one step to the next."""

    def do(self, batch: Batch, step: Step, board: Any) -> tuple[Any, str]:
        return _carried_out(batch, step, board)


def _clean(batch: Batch) -> bool:
    return batch.on_disk.remove()


class Cluster:
    """Machines that work on one batch. Use it as a context."""

    def __init__(self, address: str | None = None, cpus: int | None = None) -> None:
        """
        Args:
            address: of a Ray cluster that runs, as ``ray start`` says it; None for this machine.
            cpus: to use of this machine; None for all.

        Raises:
            InputError: there is no cluster at ``address``.
        """
        self._is_ours = connect(address, cpus)
        resources = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        self.cpus = 0.0 + sum(each.get("CPU", 0) for each in resources)
        self.gpus = 0.0 + sum(each.get("GPU", 0) for each in resources)
        self._most_cpus = max(each.get("CPU", 1) for each in resources)
        self._most_memory = int(max(each.get("memory", 1 << 40) for each in resources))
        context = ray.get_runtime_context()
        here = NodeAffinitySchedulingStrategy(context.get_node_id(), soft=True)
        self._board: Any = ray.remote(num_cpus=0)(_Board).options(scheduling_strategy=here).remote()
        self._task: Any = ray.remote(max_retries=0, max_calls=0)(_carried_out)
        self._running: dict[Any, Step] = {}
        self._actors: dict[Needs, list[Any]] = {}
        self._actor_of: dict[Any, Any] = {}

    @property
    def dashboard(self) -> str:
        """The address of Ray's dashboard; "" where none runs."""
        url = ray._private.worker.get_dashboard_url()  # type: ignore[attr-defined]
        return f"http://{url}" if url else ""

    @property
    def running(self) -> int:
        """Steps that were begun and have not ended."""
        return len(self._running)

    @property
    def machines(self) -> int:
        """Nodes that are alive."""
        return sum(node["Alive"] for node in ray.nodes())

    def begin(self, batch: Batch, step: Step) -> bool:
        """Have ``step`` carried out; False where the actors that could do it are busy."""
        needs = step.needs.within(self._most_cpus, self._most_memory)
        if needs.keeps_engine and step.kind != "look":
            return self._begin_with_actor(batch, step, needs)
        self._release(None)
        ref = self._task.options(
            name=f"{step.order.out} {step.title}",
            num_cpus=needs.cpus,
            num_gpus=needs.gpus,
            memory=needs.memory,
            scheduling_strategy=self._strategy(step),
        ).remote(batch, step, self._board)
        self._running[ref] = step
        return True

    def ended(self, seconds: float) -> list[tuple[Step, Any, str]]:
        """The steps that ended within ``seconds``: what each returned, or its fault, and where."""
        if not self._running:
            return []
        refs, _ = ray.wait(list(self._running), num_returns=1, timeout=seconds)
        if refs:  # and whatever else is ready
            refs, _ = ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
        ended: list[tuple[Step, Any, str]] = []
        for ref in refs:
            step = self._running.pop(ref)
            self._board.forget.remote(step.order.out, step.title)
            actor = self._actor_of.pop(ref, None)
            try:
                result, node = ray.get(ref)
            except RayError as error:
                self._drop(actor)
                ended.append((step, _machines(error), ""))
            else:
                ended.append((step, result, node))
        return ended

    def places(self) -> dict[tuple[str, str], tuple[str, int, int]]:
        """Where the steps are that run: (name, step) -> stage, done, total."""
        try:
            return ray.get(self._board.read.remote())
        except RayError:  # its process was killed: the work goes on, unseen
            return {}

    def cancel(self, name: str | None = None) -> None:
        """Stop the steps of one clip, or all."""
        for ref, step in list(self._running.items()):
            if name is None or step.order.out == name:
                actor = self._actor_of.pop(ref, None)
                if actor is not None:
                    self._drop(actor)
                else:
                    ray.cancel(ref, force=True)
                del self._running[ref]
                self._board.forget.remote(step.order.out, step.title)

    def clean(self, batch: Batch) -> None:
        """Remove the scratch of ``batch`` on every machine."""
        waiting = []
        for node in ray.nodes():
            if node["Alive"]:
                there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
                task = ray.remote(num_cpus=0, max_retries=0)(_clean)
                waiting.append(task.options(scheduling_strategy=there).remote(batch))
        for ref in waiting:
            try:
                ray.get(ref, timeout=30)
            except RayError as error:
                logging.getLogger(__name__).warning("Scratch was not cleaned: %s", error)

    def close(self) -> None:
        """Leave the cluster; one that was started for this batch ends."""
        self.cancel()
        for actors in self._actors.values():
            for actor in actors:
                ray.kill(actor)
        ray.kill(self._board)
        if self._is_ours:
            ray.shutdown()

    # --- workers that keep engines ---

    def _begin_with_actor(self, batch: Batch, step: Step, needs: Needs) -> bool:
        actors = self._actors.setdefault(needs, [])
        loads = {actor: sum(a is actor for a in self._actor_of.values()) for actor in actors}
        actor = min(actors, key=loads.__getitem__, default=None)
        if actor is None or (loads[actor] and len(actors) < self._room_for(needs)):
            self._release(needs)
            actor = self._new_actor(needs)
            actors.append(actor)
        elif loads[actor] >= _QUEUED:
            return False
        ref = actor.do.remote(batch, step, self._board)
        self._running[ref], self._actor_of[ref] = step, actor
        return True

    def _new_actor(self, needs: Needs) -> Any:
        return (
            ray.remote(_Worker)
            .options(
                num_cpus=needs.cpus,
                num_gpus=needs.gpus,
                memory=needs.memory,
                max_restarts=0,
                scheduling_strategy="SPREAD",
            )
            .remote()
        )

    def _room_for(self, needs: Needs) -> int:
        by_gpus = self.gpus // needs.gpus if needs.gpus else self.cpus // max(needs.cpus, 1)
        return max(1, int(by_gpus))

    def _release(self, wanted: Needs | None) -> None:
        """End the idle workers of other needs, which hold what a step of ``wanted`` waits for."""
        busy = set(map(id, self._actor_of.values()))
        for needs, actors in self._actors.items():
            if needs != wanted:
                for actor in [actor for actor in actors if id(actor) not in busy]:
                    actors.remove(actor)
                    ray.kill(actor)

    def _drop(self, actor: Any) -> None:
        if actor is not None:
            ray.kill(actor)
            for actors in self._actors.values():
                if actor in actors:
                    actors.remove(actor)

    @staticmethod
    def _strategy(step: Step) -> Any:
        is_far = storage.local_path(step.order.clip) is None
        if step.near and is_far:  # the clip lies on that machine's scratch already
            return NodeAffinitySchedulingStrategy(step.near, soft=True, _spill_on_unavailable=True)
        return "SPREAD" if step.kind == "fill" else "DEFAULT"


def connect(address: str | None, cpus: int | None) -> bool:
    """Connect this process to Ray; False where it is connected already.

    Args:
        address: of a cluster that runs; None starts one on this machine.
        cpus: to use of this machine; None for all.

    Raises:
        InputError: there is no cluster at ``address``.
    """
    if ray.is_initialized():
        return False
    quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address is None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
        ray.init(
            address="local",
            num_cpus=cpus,
            object_store_memory=_STORE,
            include_dashboard=None,
            **quiet,
        )
        return True
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        # Ray itself waits for minutes where nobody answers.
        socket.create_connection((host, int(port)), _PATIENCE).close()
        ray.init(address=address, **quiet)
    except (OSError, ValueError, RuntimeError) as error:
        first = str(error).splitlines()[0]
        raise InputError(
            f"There is no Ray cluster at {address} ({first}); start one with ray start --head, or "
            "leave --address out to work on this machine."
        ) from error
    return True


def _machines(error: RayError) -> Fault:
    first = str(error).strip().splitlines()[0]
    return Fault(f"A worker died ({type(error).__name__}: {first[:200]}).", True, str(error))
