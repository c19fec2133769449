"""All that a run of training can be told: one typed configuration, from our TOML or the E2FGVI
project's JSON. A key that is not known is an error.
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from cleanplate.errors import InputError
from cleanplate.settings import check, setting

T = TypeVar("T")

MULTIPLES = {
    "e2fgvi": (108, 60),
    "e2fgvi_hq": (108, 60),
    "vinet_256": (8, 8),
    "vinet_512": (16, 16),
}
"""Width and height in px that each network learns at multiples of."""
NETWORKS = tuple(MULTIPLES)
MASKS = ("stationary", "moving", "figure")
DIS = "dis"
"""Flow of the unmasked frames by OpenCV's DIS: for those who have no published SPyNet."""


@dataclass(frozen=True)
class DataSettings:
    """What is learned from."""

    clips: tuple[str, ...] = setting((), "Folders of clips, or roots of a dataset.")
    generated: float = setting(0.0, "Share of samples that are rendered.", low=0, high=1)
    photographs: str = setting("", "Folder of pictures to render from; empty for made textures.")
    width: int = setting(432, "Width of a sample.", low=16, unit="px")
    height: int = setting(240, "Height of a sample.", low=16, unit="px")
    local_frames: int = setting(5, "Neighbouring frames of a sample (E2FGVI).", low=2)
    reference_frames: int = setting(3, "Frames from elsewhere in the clip (E2FGVI).", low=0)
    flip: bool = setting(True, "Mirror every other sample, not its masks.")
    masks: tuple[str, ...] = setting(
        ("stationary", "moving"), "Kinds of holes, drawn evenly: stationary, moving, figure."
    )
    leave_out: bool = setting(False, "Learn nothing from what the masks of a clip cover.")
    workers: int = setting(2, "Processes that read ahead; 0 reads in between.", low=0, high=64)

    def __post_init__(self) -> None:
        check(self)
        unknown = [kind for kind in self.masks if kind not in MASKS]
        if unknown or not self.masks:
            raise InputError(
                f"data.masks is {list(self.masks)}; it must name some of: {', '.join(MASKS)}."
            )
        if not self.clips and self.generated < 1:
            raise InputError(
                'There is nothing to learn from; set data.clips = ["FOLDER"] or data.generated = 1.'
            )


@dataclass(frozen=True)
class LossSettings:
    """Weights of the losses."""

    hole: float = setting(1.0, "Of the hole's error (E2FGVI; VINet's is 5 times it).", low=0)
    valid: float = setting(1.0, "Of the error outside of the hole (E2FGVI).", low=0)
    flow: float = setting(1.0, "Of the flow's error; VINet's is 10 times it.", low=0)
    adversarial: float = setting(0.01, "Of the discriminator's opinion; 0 goes without.", low=0)
    short: float = setting(1.0, "Of the warping error to the frame before (VINet).", low=0)
    long: float = setting(1.0, "Of the warping error to the first frame (VINet).", low=0)
    flow_target: str = setting(DIS, "True flow (E2FGVI): dis, or the file of the published SPyNet.")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class OptimiserSettings:
    """Adam and its schedule."""

    learning_rate: float = setting(1e-4, "Step size.", low=0, high=1)
    beta1: float = setting(0.0, "Decay of the mean gradient.", low=0, high=0.9999)
    beta2: float = setting(0.99, "Decay of the mean squared gradient.", low=0, high=0.999999)
    flow_factor: float = setting(1.0, "Of the step size, for E2FGVI's flow network.", low=0)
    milestones: tuple[int, ...] = setting((400_000,), "Steps at which it is multiplied by gamma.")
    gamma: float = setting(0.1, "See milestones.", low=0, high=1)
    clip: float = setting(0.0, "Largest norm of all gradients; 0 leaves them as they are.", low=0)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class VINetSettings:
    """What only VINet has."""

    causal: bool = setting(False, "No frame after the one that is filled: for live use.")
    recurrent: bool = setting(True, "Second stage: with feedback, memory and warping losses.")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class Configuration:
    """One run."""

    network: str = setting("e2fgvi", "What is trained.", choices=NETWORKS)
    folder: str = setting("training", "Where checkpoints and records go.")
    start_from: str = setting("", "Weights file to begin with; empty for random weights.")
    start_flow_from: str = setting("", "File of the published SPyNet, to begin with (E2FGVI).")
    seed: int = setting(0, "Of weights, samples and masks.", low=0)
    steps: int = setting(500_000, "Steps of the whole run.", low=1)
    batch: int = setting(8, "Samples of a step.", low=1)
    accumulate: int = setting(1, "Parts that a batch is computed in, to save memory.", low=1)
    device: str = setting("auto", "auto, cpu, cuda or mps.")
    average: float = setting(
        0.0,
        "Decay of a running mean of the weights, which is what is kept for use; 0 goes without.",
        low=0,
        high=0.99999,
    )
    precision: str = setting("float32", "Of the networks.", choices=("float32", "bfloat16"))
    log_every: int = setting(100, "Steps between records.", low=1)
    save_every: int = setting(5000, "Steps between checkpoints.", low=1)
    keep: int = setting(3, "Latest checkpoints that are kept, beside the best.", low=1)
    validate_every: int = setting(0, "Steps between validations; 0 for none.", low=0)
    validation_clips: tuple[str, ...] = setting((), "Clips that are not learned from.")
    validation_samples: int = setting(8, "Held-out samples of a validation.", low=1)
    most_skipped: int = setting(50, "Steps in a row that may fail to be finite.", low=1)
    data: DataSettings = field(default_factory=lambda: DataSettings(generated=1.0))
    losses: LossSettings = field(default_factory=LossSettings)
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
    vinet: VINetSettings = field(default_factory=VINetSettings)

    def __post_init__(self) -> None:
        check(self)
        if self.batch % self.accumulate:
            raise InputError(
                f"batch is {self.batch} and accumulate {self.accumulate}; the first must be a "
                "multiple of the second."
            )

    @property
    def is_vinet(self) -> bool:
        """Whether it is one of VINet's two topologies."""
        return self.network.startswith("vinet")


def check_size(configuration: Configuration) -> None:
    """Say where a network cannot learn at the size of the samples.

    Raises:
        InputError: it cannot.
    """
    across, down = MULTIPLES[configuration.network]
    data = configuration.data
    if data.width % across or data.height % down:
        raise InputError(
            f"data.width and data.height are {data.width} and {data.height}; "
            f"{configuration.network} learns at multiples of {across} and of {down}."
        )


def load(path: Path) -> tuple[Configuration, list[str]]:
    """The configuration in ``path``, and a sentence for each key of it that is ignored.

    Args:
        path: our TOML, or a JSON file with the keys that the E2FGVI project published.

    Raises:
        InputError: no such file, not of its kind, an unknown key, a value out of range.
    """
    if not path.is_file():
        raise InputError(f"There is no configuration {path}; docs/training.md shows one.")
    text = path.read_text(encoding="utf-8")
    try:
        plain = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except ValueError as error:  # both kinds of syntax error are of this kind
        raise InputError(f"{path} cannot be read: {error}; see docs/training.md.") from error
    if path.suffix.lower() == ".json":
        plain, ignored = _translated(plain, path)
    else:
        ignored = []
    return _made(Configuration, plain, path, ""), ignored


def as_plain(configuration: Configuration) -> dict[str, Any]:
    """All settings, for a record; ``load`` of the same as TOML gives the same configuration."""
    return dataclasses.asdict(configuration)


def _made(cls: type[T], plain: Mapping[str, Any], path: Path, within: str) -> T:
    kinds = typing.get_type_hints(cls)
    values: dict[str, Any] = {}
    for key, value in plain.items():
        name = f"{within}{key}"
        if key not in kinds:
            known = ", ".join(f"{within}{known}" for known in kinds)
            raise InputError(f"{path} has a key {name}, which is not known; there are: {known}.")
        values[key] = _value(kinds[key], value, path, name)
    try:
        return cls(**values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _value(kind: Any, value: Any, path: Path, name: str) -> Any:
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise InputError(f"{path}: {name} is {value!r}; it must be a table of settings.")
        return _made(typing.cast(Any, kind), value, path, f"{name}.")
    if typing.get_origin(kind) is tuple:
        item = typing.get_args(kind)[0]
        if isinstance(value, list):
            return tuple(_value(item, part, path, name) for part in value)
    elif kind is float and type(value) is int:
        return float(value)
    elif kind is int and type(value) is float and value.is_integer():
        return int(value)  # 5e3, as people write counts
    elif type(value) is kind:
        return value
    word = "a list" if isinstance(kind, types.GenericAlias) else f"of type {kind.__name__}"
    raise InputError(f"{path}: {name} is {value!r}; it must be {word}.")


# The E2FGVI project's keys: where each goes here. None: it is ignored, for the reason given.
_PUBLISHED: dict[str, tuple[str, ...]] = {
    "seed": ("seed",),
    "save_dir": ("folder",),
    "train_data_loader.w": ("data", "width"),
    "train_data_loader.h": ("data", "height"),
    "train_data_loader.num_local_frames": ("data", "local_frames"),
    "train_data_loader.num_ref_frames": ("data", "reference_frames"),
    "losses.hole_weight": ("losses", "hole"),
    "losses.valid_weight": ("losses", "valid"),
    "losses.flow_weight": ("losses", "flow"),
    "losses.adversarial_weight": ("losses", "adversarial"),
    "model.net": ("network",),
    "trainer.beta1": ("optimiser", "beta1"),
    "trainer.beta2": ("optimiser", "beta2"),
    "trainer.lr": ("optimiser", "learning_rate"),
    "trainer.spynet_lr": ("optimiser", "flow_factor"),
    "trainer.batch_size": ("batch",),
    "trainer.num_workers": ("data", "workers"),
    "trainer.log_freq": ("log_every",),
    "trainer.save_freq": ("save_every",),
    "trainer.iterations": ("steps",),
    "trainer.scheduler.milestones": ("optimiser", "milestones"),
    "trainer.scheduler.gamma": ("optimiser", "gamma"),
}
_MUST_BE = {
    "losses.GAN_LOSS": "hinge",
    "trainer.type": "Adam",
    "trainer.scheduler.type": "MultiStepLR",
}
_IGNORED = {
    "train_data_loader.name": "the layout of data is found by itself",
    "trainer.version": "there is one trainer",
}


def _translated(published: Any, path: Path) -> tuple[dict[str, Any], list[str]]:
    """Settings from the keys of ``train_e2fgvi.json``, and what of them says nothing here."""
    plain: dict[str, Any] = {}
    ignored: list[str] = []
    for key, value in _flat(published, path):
        if key in _PUBLISHED:
            *tables, last = _PUBLISHED[key]
            table = plain
            for name in tables:
                table = table.setdefault(name, {})
            table[last] = value
        elif key == "train_data_loader.data_root":
            plain.setdefault("data", {})["clips"] = [value]
        elif key == "model.no_dis":
            if value:
                plain.setdefault("losses", {})["adversarial"] = 0.0
        elif key in _MUST_BE:
            if value != _MUST_BE[key]:
                raise InputError(f"{path}: {key} is {value!r}; only {_MUST_BE[key]} is here.")
        elif key in _IGNORED:
            ignored.append(f"{path}: {key} is ignored: {_IGNORED[key]}.")
        else:
            raise InputError(f"{path} has a key {key}, which train_e2fgvi.json does not have.")
    if published.get("model", {}).get("no_dis"):
        plain["losses"]["adversarial"] = 0.0
    return plain, ignored


def _flat(plain: Any, path: Path, within: str = "") -> list[tuple[str, Any]]:
    if not isinstance(plain, Mapping):
        raise InputError(f"{path} is no table of settings; see docs/training.md.")
    pairs: list[tuple[str, Any]] = []
    for key, value in plain.items():
        pairs += (
            _flat(value, path, f"{within}{key}.")
            if isinstance(value, Mapping)
            else [(f"{within}{key}", value)]
        )
    return pairs
