"""VINet: one frame at a time from four neighbours and its own previous output.

Kim, Woo, Lee and Kweon, "Deep Video Inpainting", CVPR 2019. Parameters are named and shaped as in
the published files, which fit both topologies: 256 (encoder at full resolution) and 512 (encoder
and flows at half of it).

Scales: s1 is the resolution behind the first layer of an encoder; s2, s4, s8 are its half, quarter
and eighth. Values are in [-1, 1], a hole is 0, channels are in the order BGR. Flows are in pixels
of their scale, x before y, and say where in the source to look. They stay in float32 whatever
the precision of the network: a bfloat16 cannot tell one pixel from the next in a wide picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate.networks.vinet.layers import (
    Aggregator,
    Bottleneck,
    ConvLSTM,
    Decoder,
    Encoder,
    Features,
    FlowNet,
    MaskNet,
    State,
    enlarge,
    initialise,
    warp,
)

STREAMS = ("m2", "m1", "p1", "p2", "prev")  # frames t-6, t-3, t+3, t+6 and the output of t-1

Observe = Callable[[str, Tensor], None]


class Step(NamedTuple):
    """What one step gives."""

    image: Tensor
    """(B, 3, H, W), neither clipped nor composited: what is fed back."""
    decoded: Tensor
    """(B, 3, H, W): the image before it was blended with the previous one."""
    state: State
    flows: Tensor
    """(5, B, 2, h/2, w/2): at s2, in the order of ``STREAMS``."""
    flow: Tensor | None
    """(B, 2, H, W): what the previous image was warped by; None in a first step."""


class VINet(nn.Module):
    """See the module."""

    def __init__(self, double_size: bool, align_corners: bool = True) -> None:
        """
        Args:
            double_size: the 512 topology; else the 256 one.
            align_corners: how features are sampled. The published weights were trained with True;
                False is what the authors' code does in torch 1.3 and later.
        """
        super().__init__()
        self.double_size, self.align_corners = double_size, align_corners
        self.encoder1, self.encoder2 = Encoder(double_size), Encoder(double_size)
        self.bottleneck = Bottleneck()
        self.convlstm = ConvLSTM(128)
        self.decoder = Decoder(double_size)
        self.flownet, self.flownet_64 = FlowNet(128, False), FlowNet(96)
        self.flownet_128, self.flownet_256 = FlowNet(64), FlowNet(32)
        self.masknet, self.masknet_64 = MaskNet(128), MaskNet(96)
        self.masknet_128, self.masknet_256 = MaskNet(64), MaskNet(32)
        self.st_agg, self.st_agg_64 = Aggregator(128), Aggregator(96)
        self.st_agg_128 = Aggregator(64)
        self.apply(initialise)

    @property
    def multiple(self) -> int:
        """Height and width of a picture are multiples of this."""
        return 16 if self.double_size else 8

    def channels_last(self) -> VINet:
        """Lay the weights out for pictures with their channels last: faster on a CPU."""
        for parameter in self.parameters():
            if parameter.dim() > 1:
                flat = parameter.dim() == 4
                form = torch.channels_last if flat else torch.channels_last_3d
                parameter.data = parameter.data.contiguous(memory_format=form)
        return self

    def forward(
        self,
        frames: Tensor,
        masks: Tensor,
        feedback: Tensor,
        state: State | None = None,
        first: bool = False,
        observe: Observe | None = None,
    ) -> Step:
        """The published call: everything is encoded anew.

        Args:
            frames: (B, 3, 5, H, W), t-6, t-3, t, t+3, t+6, in [-1, 1], holes 0.
            masks: (B, 1, 5, H, W), 1 where a hole is.
            feedback: (B, 5, H, W): previous image, ones, mask; the frame t itself in a first step.
            state: of the step before; zeros when None.
            first: there is no previous image to blend with.
            observe: is given each intermediate tensor, by name.
        """
        m2, m1, t, p1, p2 = torch.cat([frames, torch.ones_like(masks), masks], 1).unbind(2)
        sources = [self.encoder2(x) for x in (m2, m1, p1, p2, feedback)]
        previous = None if first else feedback[:, :3]
        return self.step(self.encoder1(t), sources, previous, state, observe)

    def step(
        self,
        reference: Features,
        sources: Sequence[Features],
        previous: Tensor | None,
        state: State | None = None,
        observe: Observe | None = None,
    ) -> Step:
        """One step, from features.

        Args:
            reference: ``encoder1`` of frame t.
            sources: ``encoder2`` of the five ``STREAMS``. One that stands in two places is
                computed once.
            previous: (B, 3, H, W), the previous image; None in a first step.
            state, observe: see ``forward``.
        """
        streams = _Streams(sources, observe)
        streams.see_features(reference)
        s8, s4, s2 = (streams.stack(scale) for scale in range(3))

        flow = self.flownet(streams.repeat(reference.s8), s8)
        warped = streams.see("warp_s8", self._warp(s8, streams.see("flow_s8", flow)))
        synthesis8 = self._composite("s8", self.st_agg, self.masknet, reference.s8, warped, streams)
        inside = streams.note(
            "bottleneck", self.bottleneck(torch.cat([reference.s8, synthesis8], 1))
        )
        after = self.convlstm(inside, state)
        streams.note("lstm_hidden", after.hidden)
        streams.note("lstm_cell", after.cell)

        flow, warped = self._refine("s4", self.flownet_64, flow, reference.s4, s4, streams)
        synthesis4 = self._composite(
            "s4", self.st_agg_64, self.masknet_64, reference.s4, warped, streams
        )
        flow, warped = self._refine("s2", self.flownet_128, flow, reference.s2, s2, streams)
        synthesis2 = self._composite(
            "s2", self.st_agg_128, self.masknet_128, reference.s2, warped, streams
        )
        decoded = streams.note("decoded", self.decoder(after.hidden, synthesis4, synthesis2))
        flows = torch.stack([streams.of(flow, slot) for slot in streams.slots])
        image, applied = decoded, None
        if previous is not None:
            image, applied = self._feed_back(
                decoded, previous, flows[-1], reference.s1, sources[-1].s1, observe
            )
        return Step(streams.note("output", image), decoded, after, flows, applied)

    def _warp(self, source: Tensor, flow: Tensor) -> Tensor:
        return warp(source, flow, "zeros", self.align_corners)

    def _refine(
        self,
        scale: str,
        network: FlowNet,
        coarse: Tensor,
        reference: Tensor,
        source: Tensor,
        streams: _Streams,
    ) -> tuple[Tensor, Tensor]:
        """The flow of the coarser scale made finer, and the source warped by it."""
        flow = streams.see(f"flow_up_{scale}", 2 * enlarge(coarse, 2))
        warped = streams.see(f"warp_up_{scale}", self._warp(source, flow))
        flow = flow + network(streams.repeat(reference), warped, flow)
        streams.see(f"flow_{scale}", flow)
        return flow, streams.see(f"warp_{scale}", self._warp(source, flow))

    def _composite(
        self,
        scale: str,
        aggregator: Aggregator,
        network: MaskNet,
        reference: Tensor,
        warped: Tensor,
        streams: _Streams,
    ) -> Tensor:
        """What the streams know, blended into the reference where the network says so."""
        slots = [streams.of(warped, slot) for slot in streams.slots]
        aggregated = streams.note(f"agg_{scale}", aggregator(torch.cat(slots, 1)))
        mask = streams.note(f"mask_{scale}", network((reference - aggregated).abs()))
        return streams.note(f"syn_{scale}", torch.lerp(reference, aggregated, mask))

    def _feed_back(
        self,
        decoded: Tensor,
        previous: Tensor,
        flow: Tensor,
        reference: Tensor,
        source: Tensor,
        observe: Observe | None,
    ) -> tuple[Tensor, Tensor]:
        """The decoded image blended with the previous one, and the flow that this one followed."""
        note = observe or _ignore
        finer = 2 * enlarge(flow, 2)
        warped = warp(source, finer, "border")
        mask = self.masknet_256((reference - warped).abs())
        if self.double_size:
            applied = 4 * enlarge(flow, 4)
        else:
            applied = finer + self.flownet_256(reference, warped, finer)
        moved = warp(previous, applied, "border")
        if observe is not None:  # the 512 topology throws this flow away
            observe("flow_delta_s1.prev", self.flownet_256(reference, warped, finer))
        for name, value in (("flow_up_s1", finer), ("warp_s1", warped), ("flow_applied", applied)):
            note(f"{name}.prev", value)
        note("mask_s1", mask)
        note("prev_warped", moved)
        note("flow_returned", applied)
        if self.double_size:
            mask = functional.interpolate(mask, scale_factor=2, mode="nearest")
        return torch.lerp(decoded, moved, mask), applied


def vinet_512() -> VINet:
    """The topology of ``save_agg_rec_512.pth``."""
    return VINet(double_size=True)


def vinet_256() -> VINet:
    """The topology of ``save_agg_rec.pth``."""
    return VINet(double_size=False)


def _ignore(name: str, value: Tensor) -> None:
    """Nobody looks."""


class _Streams:
    """The five streams of a step as one batch, each different one once."""

    def __init__(self, sources: Sequence[Features], observe: Observe | None) -> None:
        distinct = {id(source): source for source in sources}
        places = {key: place for place, key in enumerate(distinct)}
        self.slots = [places[id(source)] for source in sources]
        self._sources = list(distinct.values())
        self._batch = len(sources[0].s8)
        self._observe = observe

    def stack(self, scale: int) -> Tensor:
        """(streams * B, C, h, w) at one of the scales of ``Features``."""
        return torch.cat([source[scale] for source in self._sources])

    def repeat(self, reference: Tensor) -> Tensor:
        return reference.repeat(len(self._sources), 1, 1, 1)

    def of(self, stacked: Tensor, slot: int) -> Tensor:
        return stacked[slot * self._batch : (slot + 1) * self._batch]

    def note(self, name: str, value: Tensor) -> Tensor:
        if self._observe is not None:
            self._observe(name, value)
        return value

    def see(self, name: str, stacked: Tensor) -> Tensor:
        for stream, slot in zip(STREAMS, self.slots, strict=True):
            self.note(f"{name}.{stream}", self.of(stacked, slot))
        return stacked

    def see_features(self, reference: Features) -> None:
        sources = (self._sources[slot] for slot in self.slots)
        for stream, features in zip(("ref", *STREAMS), (reference, *sources), strict=True):
            for scale, value in zip(Features._fields, features, strict=True):
                self.note(f"enc_{scale}.{stream}", value)
