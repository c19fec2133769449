"""SAM 2.1: an image encoded once, prompts decoded at will, frames remembered and looked back at.

Ravi et al., "SAM 2: Segment Anything in Images and Videos", 2024. The network keeps no state: what
is remembered belongs to the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate.networks.sam2 import hiera
from cleanplate.networks.sam2.decoder import Decoded, MaskDecoder, PromptEncoder
from cleanplate.networks.sam2.hiera import WIDTH, ImageEncoder, Mlp, Size
from cleanplate.networks.sam2.memory import MEMORY_WIDTH, MemoryAttention, MemoryEncoder
from cleanplate.networks.sam2.positions import sine_line, sine_map

SIDE = 1024
"""Of the square that every image is stretched into, as published."""
NEIGHBOURS = 6
"""Frames remembered beside the confirmed ones, by their distance 1 to 6."""
POINTERS = 16
"""Most frames whose pointers are looked at."""
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
NOWHERE = -1024.0
"""Logit of every pixel of an object that is not in the picture."""
LIMIT = 32.0
"""Logits that are given back as a prompt lie within plus and minus this."""


@dataclass(frozen=True, slots=True)
class Features:
    """All that prompts and memory need to know of an image."""

    level: Tensor
    """(1, 256, g, g), g a sixteenth of the input's side."""
    fine: tuple[Tensor, Tensor]
    """(1, 32, 4g, 4g) and (1, 64, 2g, 2g)."""

    @property
    def grid(self) -> int:
        """Side of the coarsest level, in cells of 16 x 16 px of the input."""
        return self.level.shape[-1]

    def float(self) -> Features:
        """The same in float32."""
        return Features(self.level.float(), (self.fine[0].float(), self.fine[1].float()))


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said of P objects in one frame."""

    low: Tensor
    """(P, s, s) logits of the mask taken, at a quarter of the input's side."""
    quality: Tensor
    """(P,) its predicted IoU."""
    pointer: Tensor
    """(P, 256): what the object is, for later frames."""
    presence: Tensor
    """(P,) logit: above 0 the object is in the picture."""
    candidates: Tensor
    """(P, C, s, s) logits of all masks that there were to choose from."""
    qualities: Tensor
    """(P, C)."""
    tokens: Tensor
    """(P, C, 256), one for each candidate, or one for all."""


class Sam2(nn.Module):
    """All parts, with the keys of the published files."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.image_encoder = ImageEncoder(size)
        self.mask_downsample = nn.Conv2d(1, 1, 4, 4)
        self.memory_attention = MemoryAttention()
        self.memory_encoder = MemoryEncoder()
        self.maskmem_tpos_enc = nn.Parameter(torch.zeros(NEIGHBOURS + 1, 1, 1, MEMORY_WIDTH))
        self.no_mem_embed = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.no_mem_pos_enc = nn.Parameter(torch.zeros(1, 1, WIDTH))  # published, and read nowhere
        self.no_obj_ptr = nn.Parameter(torch.zeros(1, WIDTH))
        self.no_obj_embed_spatial = nn.Parameter(torch.zeros(1, MEMORY_WIDTH))
        self.sam_prompt_encoder = PromptEncoder()
        self.sam_mask_decoder = MaskDecoder()
        self.obj_ptr_proj = Mlp((WIDTH, WIDTH, WIDTH, WIDTH))
        self.obj_ptr_tpos_proj = nn.Linear(WIDTH, MEMORY_WIDTH)

    # --- a picture ---

    def encode(self, image: Tensor) -> Features:
        """``image`` (1, 3, S, S) from ``prepared``, S a multiple of 32."""
        levels = self.image_encoder(image)
        decoder = self.sam_mask_decoder
        return Features(levels[2], (decoder.conv_s0(levels[0]), decoder.conv_s1(levels[1])))

    def alone(self, features: Features) -> Tensor:
        """(1, 256, g, g): features for prompts where nothing is remembered."""
        return features.level + self.no_mem_embed.view(1, -1, 1, 1)

    def decode(
        self,
        seen: Tensor,
        features: Features,
        points: Tensor | None = None,
        labels: Tensor | None = None,
        masks: Tensor | None = None,
    ) -> Decoded:
        """Masks for the prompts of P objects.

        Args:
            seen: (1 or P, 256, g, g) from ``alone`` or ``look_back``.
            features: of the same picture.
            points: (P, N, 2) in 0..1 of the input's sides, x first: (pixel + 0.5) / S.
            labels: (P, N), see ``PromptEncoder.tokens``.
            masks: (P, 1, 4g, 4g) logits.
        """
        encoder = self.sam_prompt_encoder
        tokens = encoder.none() if points is None or labels is None else None
        if tokens is None:
            tokens = encoder.tokens(points, labels)  # type: ignore[arg-type]
        elif masks is not None:
            tokens = tokens.expand(len(masks), -1, -1)
        dense = encoder.dense(masks, len(tokens), features.grid)
        places = encoder.places(features.grid)
        return self.sam_mask_decoder(seen, places, tokens, dense, features.fine)

    # --- an object in a frame ---

    def answer(
        self,
        seen: Tensor,
        features: Features,
        points: Tensor | None = None,
        labels: Tensor | None = None,
        masks: Tensor | None = None,
        *,
        several: bool | None = None,
        dynamic: bool = True,
    ) -> Answer:
        """The object that prompts point at, or that ``seen`` remembers when there are none.

        The arguments are those of ``decode``, and

        Args:
            several: take the best of three masks; None: where there is no more than one point.
            dynamic: an unstable single mask gives way to the best of the three.
        """
        if several is None:
            several = points is None or points.shape[1] <= 1
        if points is None:  # as trained: a point that is none
            points, labels = seen.new_zeros(len(seen), 1, 2), seen.new_full((len(seen), 1), -1.0)
        decoded = self.decode(seen, features, points, labels, masks)
        candidates = decoded.three() if several else decoded.one(dynamic)
        return self.taken(candidates, candidates.quality.argmax(dim=1))

    def taken(self, decoded: Decoded, index: Tensor) -> Answer:
        """The answer that candidate ``index`` (P,) of each object makes."""
        present = decoded.presence[:, 0] > 0
        candidates = torch.where(present[:, None, None, None], decoded.masks.float(), NOWHERE)
        rows = torch.arange(len(index), device=index.device)
        token = decoded.tokens[rows, index.clamp(max=decoded.tokens.shape[1] - 1)]
        pointer = torch.where(present[:, None], self.obj_ptr_proj(token).float(), self.no_obj_ptr)
        return Answer(
            candidates[rows, index],
            decoded.quality[rows, index],
            pointer,
            decoded.presence[:, 0],
            candidates,
            decoded.quality,
            decoded.tokens,
        )

    def given(self, features: Features, masks: Tensor) -> Answer:
        """Masks that a person gave, (P, 1, S, S) in 0 and 1, as if they had been found."""
        full = masks * 20 - 10
        side = 4 * features.grid
        low = functional.interpolate(full, (side, side), mode="bilinear", antialias=True)
        prompt = self.mask_downsample(masks)
        level = features.level.expand(len(masks), -1, -1, -1)
        pointer = self.answer(level, features, masks=prompt, several=False).pointer
        present = masks.flatten(1).any(dim=1)
        pointer = torch.where(present[:, None], pointer, self.no_obj_ptr)
        presence = torch.where(present, 10.0, -10.0)
        ones = torch.ones_like(presence)
        return Answer(low[:, 0], ones, pointer, presence, low, ones[:, None], pointer[:, None])

    # --- memory ---

    def remember(self, features: Features, masks: Tensor, presence: Tensor, sure: bool) -> Tensor:
        """What is kept of a frame for P objects, (P, 64, g, g); round it to bfloat16 to keep it.

        Args:
            features: of the frame.
            masks: (P, 1, S, S) logits.
            presence: (P,) logits.
            sure: the masks come from prompts: they count as wholly in or out.
        """
        scaled = (masks > 0).float() if sure else masks.sigmoid()
        memory = self.memory_encoder(features.level, scaled * 20 - 10).float()
        absent = (presence <= 0).view(-1, 1, 1, 1).float()
        return memory + absent * self.no_obj_embed_spatial.view(1, -1, 1, 1)

    def look_back(
        self,
        features: Features,
        memories: Sequence[Tensor],
        rows: Sequence[int],
        pointers: Tensor,
        distances: Sequence[float],
    ) -> Tensor:
        """(P, 256, g, g): the features of a frame in the light of what is remembered of P objects.

        Args:
            features: of the frame.
            memories: of each remembered frame (P, 64, g, g), from ``remember``.
            rows: of each the row of the codes of time: distance - 1, or 6 where it was confirmed.
            pointers: (P, n, 256).
            distances: of each pointer, in frames by the most that there can be.
        """
        tokens = [memory.flatten(2).transpose(1, 2) for memory in memories]
        grid, device = features.grid, str(features.level.device)
        code = sine_map(MEMORY_WIDTH, grid, grid, device).flatten(2).transpose(1, 2)
        codes = [code + self.maskmem_tpos_enc[row].view(1, 1, -1) for row in rows]
        parts = WIDTH // MEMORY_WIDTH
        if len(distances):
            tokens.append(pointers.unflatten(2, (parts, -1)).flatten(1, 2))
            times = self.times(torch.tensor(distances, device=device, dtype=torch.float32))
            codes.append(times.repeat_interleave(parts, dim=0)[None])
        return self.memory_attention(
            features.level.expand(len(tokens[0]), -1, -1, -1),
            torch.cat([token.float() for token in tokens], dim=1),
            torch.cat(codes, dim=1),
            parts * len(distances),
        )

    def times(self, distances: Tensor) -> Tensor:
        """(n, 64): codes of (n,) distances in time."""
        return self.obj_ptr_tpos_proj(sine_line(distances, WIDTH))


def prepared(pixels: Tensor) -> Tensor:
    """(S, S, 3) values 0..1 as (1, 3, S, S), normalised."""
    mean, std = pixels.new_tensor(MEAN), pixels.new_tensor(STD)
    return ((pixels - mean) / std).permute(2, 0, 1)[None].contiguous()


def sam2_1_hiera_tiny() -> Sam2:
    """The smallest, 38.9 million parameters."""
    return Sam2(hiera.TINY)


def sam2_1_hiera_small() -> Sam2:
    """46 million parameters."""
    return Sam2(hiera.SMALL)


def sam2_1_hiera_base_plus() -> Sam2:
    """80.8 million parameters."""
    return Sam2(hiera.BASE_PLUS)


def sam2_1_hiera_large() -> Sam2:
    """The largest, 224.4 million parameters."""
    return Sam2(hiera.LARGE)
