"""The layers that carry objects from frame to frame: AOT's and DeAOT's.

Yang et al., "Associating Objects with Transformers for Video Object Segmentation", NeurIPS 2021
(long short-term transformer, LSTT); Yang and Yang, "Decoupling Features in Hierarchical
Propagation", NeurIPS 2022 (gated propagation). Tokens are (B, T, C).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate.networks.aot.attention import (
    SPAN,
    DepthWise,
    Size,
    WindowAttention,
    as_map,
    as_tokens,
    attend,
    heads_joined,
    heads_of,
)

WIDTH = 256
HEADS = 8


class KeyValue(NamedTuple):
    """What one layer remembers of a frame, or of several one after another."""

    key: Tensor
    """(B, n, Ck)."""
    value: Tensor
    """(B, n, Cv); DeAOT's holds the visual half, then the identity half."""


class Seen(NamedTuple):
    """What one layer saw in a frame, before it is known which object is where."""

    key: Tensor
    value: Tensor
    identity: Tensor | None = None
    """DeAOT's normalised identity branch; None in its first layer and in AOT."""


# --- AOT ---------------------------------------------------------------------------------------


class SelfAttention(nn.Module):
    """Eight heads; positions are added to queries and keys."""

    def __init__(self) -> None:
        super().__init__()
        self.linear_Q = nn.Linear(WIDTH, WIDTH)
        self.linear_K = nn.Linear(WIDTH, WIDTH)
        self.linear_V = nn.Linear(WIDTH, WIDTH)
        self.projection = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, places: Tensor) -> Tensor:
        q, k = self.linear_Q(x + places), self.linear_K(x + places)
        parts = (heads_of(one, HEADS) for one in (q, k, self.linear_V(x)))
        return self.projection(heads_joined(attend(*parts)))


class LongTerm(nn.Module):
    """Attention to a whole memory."""

    def __init__(self) -> None:
        super().__init__()
        self.projection = nn.Linear(WIDTH, WIDTH)

    def forward(self, q: Tensor, memory: KeyValue) -> Tensor:
        parts = (heads_of(one, HEADS) for one in (q, memory.key, memory.value))
        return self.projection(heads_joined(attend(*parts)))


class ShortTerm(WindowAttention):
    """Attention to the window around each place in an earlier frame."""

    def __init__(self) -> None:
        super().__init__(HEADS, WIDTH)
        self.relative_emb_v = nn.Parameter(torch.zeros(HEADS, WIDTH // HEADS, SPAN**2))
        self.projection = nn.Linear(WIDTH, WIDTH)

    def forward(self, q: Tensor, memory: KeyValue, size: Size) -> Tensor:
        q, k, v = (heads_of(one, HEADS) for one in (q, memory.key, memory.value))
        return self.projection(heads_joined(self.window(q, k, v, size, self.relative_emb_v)))


class GroupActivation(nn.Module):
    """Group norm, GELU and a depth-wise convolution, in this order."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gn = nn.GroupNorm(32, width)
        self.conv = nn.Conv2d(width, width, 5, padding=2, groups=width, bias=False)

    def forward(self, x: Tensor, size: Size) -> Tensor:
        return as_tokens(self.conv(functional.gelu(self.gn(as_map(x, size)))))


class AotLayer(nn.Module):
    """One layer of AOT's long short-term transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH)
        self.self_attn = SelfAttention()
        self.norm2 = nn.LayerNorm(WIDTH)
        self.linear_Q = nn.Linear(WIDTH, WIDTH)
        self.linear_V = nn.Linear(WIDTH, WIDTH)
        self.long_term_attn = LongTerm()
        self.short_term_attn = ShortTerm()
        self.norm3 = nn.LayerNorm(WIDTH)
        self.linear1 = nn.Linear(WIDTH, 4 * WIDTH)
        self.activation = GroupActivation(4 * WIDTH)
        self.linear2 = nn.Linear(4 * WIDTH, WIDTH)

    def forward(
        self,
        x: Tensor,
        places: Tensor,
        size: Size,
        memory: tuple[KeyValue, KeyValue] | None,
        identity: Tensor | None,
    ) -> tuple[Tensor, Seen]:
        """The tokens after the layer, and what it saw.

        Args:
            x: (B, T, 256).
            places: (1, T, 256), the position embedding.
            size: (height, width).
            memory: long-term and short-term; None when the frame is its own memory.
            identity: (B, T, 256), needed where ``memory`` is None.
        """
        x = x + self.self_attn(self.norm1(x), places)
        seen = self.norm2(x)
        q = self.linear_Q(seen)
        view = Seen(q, seen)
        if memory is None:
            own = self.remembered(view, identity)
            memory = own, own
        long, short = memory
        x = x + self.long_term_attn(q, long) + self.short_term_attn(q, short, size)
        return x + self.linear2(self.activation(self.linear1(self.norm3(x)), size)), view

    def remembered(self, seen: Seen, identity: Tensor | None) -> KeyValue:
        """What to keep of a frame once it is known which object is where."""
        assert identity is not None
        return KeyValue(seen.key, self.linear_V(seen.value + identity))


# --- DeAOT -------------------------------------------------------------------------------------

KEY = 128
VALUE = 512  # of one branch


class GatedOutput(nn.Module):
    """What follows every attention of DeAOT: gate, depth-wise convolution, projection."""

    def __init__(self) -> None:
        super().__init__()
        self.dw_conv = DepthWise(2 * VALUE)
        self.projection = nn.Linear(2 * VALUE, 2 * WIDTH)

    def gated(self, found: Tensor, gate: Tensor, size: Size) -> Tensor:
        return self.projection(self.dw_conv(found * gate, size))


class GatedLongTerm(GatedOutput):
    """Attention to a whole memory."""

    def forward(self, q: Tensor, memory: KeyValue, gate: Tensor, size: Size) -> Tensor:
        found = attend(q[:, None], memory.key[:, None], memory.value[:, None])[:, 0]
        return self.gated(found, gate, size)


class GatedShortTerm(WindowAttention, GatedOutput):
    """Attention to the window around each place in an earlier frame."""

    def __init__(self) -> None:
        WindowAttention.__init__(self, 1, KEY)
        self.dw_conv = DepthWise(2 * VALUE)
        self.projection = nn.Linear(2 * VALUE, 2 * WIDTH)

    def forward(self, q: Tensor, memory: KeyValue, gate: Tensor, size: Size) -> Tensor:
        found = self.window(q[:, None], memory.key[:, None], memory.value[:, None], size)[:, 0]
        return self.gated(found, gate, size)


class GatedSelf(GatedOutput):
    """Attention of a frame to itself, both branches together."""

    def __init__(self) -> None:
        super().__init__()
        self.linear_QK = nn.Linear(2 * WIDTH, KEY)
        self.linear_V1 = nn.Linear(WIDTH, VALUE)
        self.linear_V2 = nn.Linear(WIDTH, VALUE)
        self.linear_U1 = nn.Linear(WIDTH, VALUE)
        self.linear_U2 = nn.Linear(WIDTH, VALUE)

    def forward(self, visual: Tensor, identity: Tensor, size: Size) -> Tensor:
        q = self.linear_QK(torch.cat([visual, identity], dim=-1))[:, None]
        value = torch.cat([self.linear_V1(visual), self.linear_V2(identity)], dim=-1)
        gate = torch.cat([self.linear_U1(visual), self.linear_U2(identity)], dim=-1)
        found = attend(q, q, functional.silu(value)[:, None])[:, 0]
        return self.gated(found, functional.silu(gate), size)


class DeAotLayer(nn.Module):
    """One layer of DeAOT: a visual branch and an identity branch, (B, T, 512) together."""

    def __init__(self, first: bool) -> None:
        super().__init__()
        self.first = first
        self.norm1 = nn.LayerNorm(WIDTH)
        self.linear_QV = nn.Linear(WIDTH, KEY + VALUE)
        self.linear_U = nn.Linear(WIDTH, VALUE)
        if not first:
            self.id_norm1 = nn.LayerNorm(WIDTH)
            self.linear_ID_U = nn.Linear(WIDTH, VALUE)
        self.linear_ID_V = nn.Linear(WIDTH if first else 2 * WIDTH, VALUE)
        self.long_term_attn = GatedLongTerm()
        self.short_term_attn = GatedShortTerm()
        self.norm2 = nn.LayerNorm(WIDTH)
        self.id_norm2 = nn.LayerNorm(WIDTH)
        self.self_attn = GatedSelf()

    def forward(
        self,
        x: Tensor,
        places: Tensor,  # AOT's layers add it, DeAOT's are given it and do not
        size: Size,
        memory: tuple[KeyValue, KeyValue] | None,
        identity: Tensor | None,
    ) -> tuple[Tensor, Seen]:
        """As ``AotLayer.forward``, on (B, T, 512)."""
        visual, objects = x.split(WIDTH, dim=-1)
        normed = self.norm1(visual)
        q, value = self.linear_QV(normed).split((KEY, VALUE), dim=-1)
        gate = functional.silu(self.linear_U(normed))
        if self.first:
            known, gate = None, torch.cat([gate, torch.ones_like(gate)], dim=-1)
        else:
            known = self.id_norm1(objects)
            gate = torch.cat([gate, functional.silu(self.linear_ID_U(known))], dim=-1)
        view = Seen(q, functional.silu(value), known)
        if memory is None:
            own = self.remembered(view, identity)
            memory = own, own
        long, short = memory
        x = x + self.long_term_attn(q, long, gate, size)
        x = x + self.short_term_attn(q, short, gate, size)
        visual, objects = x.split(WIDTH, dim=-1)
        return x + self.self_attn(self.norm2(visual), self.id_norm2(objects), size), view

    def remembered(self, seen: Seen, identity: Tensor | None) -> KeyValue:
        """What to keep of a frame once it is known which object is where."""
        assert identity is not None
        both = identity if seen.identity is None else torch.cat([seen.identity, identity], dim=-1)
        objects = functional.silu(self.linear_ID_V(both))
        return KeyValue(seen.key, torch.cat([seen.value, objects], dim=-1))
