"""What a run leaves: the state that it goes on from, weights for use with a card, figures.

A state and its weights appear by rename when they are whole. Nothing that is not finite is written.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cleanplate.checkpoints import store
from cleanplate.errors import CleanplateError, InputError, WeightsError
from cleanplate.files.publish import publishing, write_text
from cleanplate.training.configuration import Configuration, as_plain

_STATES, _WEIGHTS = "state_{:08d}.pt", "{network}_{step:08d}.pth"
_BEST = "best"
# What may differ between a run and the one that goes on from it.
_FREE = ("steps", "folder", "log_every", "save_every", "keep", "validate_every", "most_skipped")


class NotFiniteError(CleanplateError):
    """A weight is not a finite number: it is not written, what was written before is kept."""


class Record:
    """The folder of one run."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self.folder = Path(configuration.folder)

    def states(self) -> list[Path]:
        """The states that are there, oldest first."""
        return sorted(self.folder.glob("state_*.pt"))

    def latest(self) -> dict[str, Any] | None:
        """The latest state; None where the run is new.

        Raises:
            InputError: it is of another configuration.
            WeightsError: it cannot be read.
        """
        if not (states := self.states()):
            return None
        try:
            state = torch.load(states[-1], map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, ValueError, KeyError) as error:
            raise WeightsError(
                f"{states[-1]} cannot be read ({error}); remove it to go on from the one before."
            ) from error
        before, now = json.loads(state["configuration"]), _comparable(self._configuration)
        apart = sorted(key for key in now if before.get(key) != now[key])
        if apart:
            raise InputError(
                f"{self.folder} holds a run whose {', '.join(apart)} differ from the "
                "configuration's; give another folder, or the configuration that it began with."
            )
        return state

    def save(
        self,
        step: int,
        state: dict[str, Any],
        generator: Mapping[str, Tensor],
        card: dict[str, Any],
        is_best: bool,
    ) -> Path:
        """Write a state and its weights, and remove those that are too old.

        Args:
            step: how many steps were taken.
            state: all that the next step depends on.
            generator: the weights for use.
            card: what is known of them.
            is_best: they are the best so far.

        Returns:
            The weights.

        Raises:
            NotFiniteError: one of them is no finite number.
            DiskError: the disk is full.
        """
        _check_finite(state, "")
        self.folder.mkdir(parents=True, exist_ok=True)
        name = _WEIGHTS.format(network=self._configuration.network, step=step)
        weights = self.folder / name
        self.write_weights(weights, generator, card)
        plain = json.dumps(_comparable(self._configuration))
        with publishing(self.folder / _STATES.format(step)) as draft:
            torch.save(state | {"configuration": plain}, draft)
        if is_best:
            best = self.folder / f"{self._configuration.network}_{_BEST}.pth"
            self.write_weights(best, generator, card)
        for old in self.states()[: -self._configuration.keep]:
            number = int(old.stem.removeprefix("state_"))
            past = self.folder / _WEIGHTS.format(network=self._configuration.network, step=number)
            for file in (past, past.with_suffix(".json"), old):
                file.unlink(missing_ok=True)
        return weights

    def write_weights(
        self, path: Path, weights: Mapping[str, Tensor], card: dict[str, Any]
    ) -> None:
        """Write weights by their published keys, and beside them their card."""
        _check_finite(weights, "")
        with publishing(path) as draft:
            torch.save({key: tensor.detach().cpu() for key, tensor in weights.items()}, draft)
        known = {"file": path.name, "sha256": store.digest(path).removeprefix("sha256:"), **card}
        write_text(path.with_suffix(".json"), json.dumps(known, indent=1))

    def note(self, step: int, figures: Mapping[str, float]) -> None:
        """Add a line of figures to ``figures.jsonl``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "figures.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **figures}) + "\n")

    def forget_after(self, step: int) -> None:
        """Drop figures of steps that will be taken again."""
        path = self.folder / "figures.jsonl"
        if path.is_file():
            lines = path.read_text(encoding="utf-8").splitlines()
            kept = [line for line in lines if json.loads(line)["step"] <= step]
            write_text(path, "".join(f"{line}\n" for line in kept))


def card_of(
    configuration: Configuration,
    step: int,
    figures: Mapping[str, float],
    sources: list[dict[str, str]],
) -> dict[str, Any]:
    """What is known of weights: settings, data and licences, seed, versions, commit, figures."""
    return {
        "network": configuration.network,
        "steps": step,
        "figures": dict(figures),
        "data": sources,
        "flow": "DIS (Kroeger et al., ECCV 2016) in place of FlowNet2 and SPyNet"
        if configuration.is_vinet or configuration.losses.flow_target == "dis"
        else configuration.losses.flow_target,
        "seed": configuration.seed,
        "configuration": as_plain(configuration),
        "cleanplate": version("cleanplate"),
        "commit": commit(),
        "torch": torch.__version__,
    }


def commit(folder: Path = Path(__file__).parents[1]) -> str:
    """The latest commit that changed the code in ``folder``; "" where git does not keep it."""
    git = shutil.which("git")
    if git is None:
        return ""
    log = [git, "-C", str(folder), "log", "-1", "--format=%H", "--", "."]
    asked = subprocess.run(log, capture_output=True, text=True, check=False)
    return asked.stdout.strip() if asked.returncode == 0 else ""


def _comparable(configuration: Configuration) -> dict[str, Any]:
    plain = json.loads(json.dumps(as_plain(configuration)))
    return {key: value for key, value in plain.items() if key not in _FREE}


def _check_finite(value: Any, name: str) -> None:
    if isinstance(value, Tensor):
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise NotFiniteError(
                f"{name} holds a number that is not finite, so nothing was written; go on from the "
                "latest checkpoint with a smaller optimiser.learning_rate or with optimiser.clip."
            )
    elif isinstance(value, Mapping):
        for key, part in value.items():
            _check_finite(part, f"{name}.{key}".strip("."))
    elif isinstance(value, float) and not math.isfinite(value):
        raise NotFiniteError(f"{name} is {value}, so nothing was written.")
