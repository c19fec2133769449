"""How a network computes: in the precision that the runtime asks for, without gradients."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from cleanplate.protocols import Runtime


@contextlib.contextmanager
def computing(runtime: Runtime) -> Iterator[None]:
    """Matrix products in ``runtime.precision``; normalisations and softmax stay float32."""
    import torch

    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.inference_mode())
        if runtime.precision != "float32":
            kind = getattr(torch, runtime.precision)
            stack.enter_context(torch.autocast(runtime.device.split(":")[0], kind))
        yield
