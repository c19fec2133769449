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

from cleanplate.networks.correlation import correlation

STREAMS = ("m2", "m1", "p1", "p2", "prev")  # frames t-6, t-3, t+3, t+6 and the output of t-1
_RADIUS = 4  # of the correlation, in px of its scale
_CELLS = (2 * _RADIUS + 1) ** 2

Observe = Callable[[str, Tensor], None]


class Features(NamedTuple):
    """What an encoder makes of a picture, coarse to fine."""

    s8: Tensor
    """(B, 128, h/8, w/8), h and w being the size of s1."""
    s4: Tensor
    """(B, 96, h/4, w/4)."""
    s2: Tensor
    """(B, 64, h/2, w/2)."""
    s1: Tensor
    """(B, 32, h, w)."""


class State(NamedTuple):
    """The memory of the ConvLSTM, each (B, 128, h/8, w/8)."""

    hidden: Tensor
    cell: Tensor


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
        self.apply(_initialise)

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
        flow = streams.see(f"flow_up_{scale}", 2 * _enlarge(coarse, 2))
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
        finer = 2 * _enlarge(flow, 2)
        warped = warp(source, finer, "border")
        mask = self.masknet_256((reference - warped).abs())
        if self.double_size:
            applied = 4 * _enlarge(flow, 4)
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


class Gated(nn.Module):
    """A convolution whose one half opens and shuts the other."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, 2 * outputs, 3, stride, dilation, dilation, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return _gated(self.conv(x))


class FlatGated(nn.Module):
    """The decoder's: three-dimensional in the file, on a depth of one."""

    def __init__(self, inputs: int, outputs: int, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv3d(inputs, 2 * outputs, (1, 3, 3), bias=False)
        self._dilation = dilation

    def forward(self, x: Tensor) -> Tensor:
        return _gated(_flat(x, self.conv, self._dilation))


class Enlarging(nn.Module):
    """Twice the size, then a gated convolution, leaky where the others are not."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        conv = nn.Conv3d(inputs, 2 * outputs, (1, 3, 3), bias=False)
        self.conv = nn.Sequential(nn.Identity(), conv)

    def forward(self, x: Tensor) -> Tensor:
        conv = self.conv[1]
        assert isinstance(conv, nn.Conv3d)
        return _gated(_flat(_enlarge(x, 2), conv), slope=0.2)


class Encoder(nn.Module):
    """A picture (B, 5, H, W): masked image, ones, mask."""

    def __init__(self, double_size: bool) -> None:
        super().__init__()
        self.ec0 = Gated(5, 32, 2 if double_size else 1)
        self.ec1, self.ec2 = Gated(32, 64, 2), Gated(64, 64)
        self.ec3_1, self.ec3_2 = Gated(64, 96, 2), Gated(96, 96)
        self.ec4_1, self.ec4, self.ec5 = Gated(96, 128, 2), Gated(128, 128), Gated(128, 128)

    def forward(self, x: Tensor) -> Features:
        s1 = self.ec0(x)
        s2 = self.ec2(self.ec1(s1))
        s4 = self.ec3_2(self.ec3_1(s2))
        return Features(self.ec5(self.ec4(self.ec4_1(s4))), s4, s2, s1)


class Bottleneck(nn.Module):
    """[reference, composite] at s8, seen ever more widely."""

    def __init__(self) -> None:
        super().__init__()
        self.bt0, self.bt1 = Gated(256, 128), Gated(128, 128, dilation=2)
        self.bt2, self.bt3 = Gated(128, 128, dilation=4), Gated(128, 128, dilation=8)

    def forward(self, x: Tensor) -> Tensor:
        return self.bt3(self.bt2(self.bt1(self.bt0(x))))


class ConvLSTM(nn.Module):
    """Shi et al., "Convolutional LSTM Network", 2015, without peepholes."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.Gates = nn.Conv2d(2 * channels, 4 * channels, 3, padding=1)

    def forward(self, x: Tensor, state: State | None) -> State:
        hidden, cell = state or State(torch.zeros_like(x), torch.zeros_like(x))
        take, keep, give, candidate = self.Gates(torch.cat([x, hidden], 1)).chunk(4, 1)
        cell = keep.sigmoid() * cell + take.sigmoid() * candidate.tanh()
        return State(give.sigmoid() * cell.tanh(), cell)


class Decoder(nn.Module):
    """From the hidden state back to a picture; the composites join in on the way."""

    def __init__(self, double_size: bool) -> None:
        super().__init__()
        self._double_size = double_size
        self.dc0, self.dc1 = FlatGated(128, 128), FlatGated(128, 128)
        self.dc1_1, self.dc2_1 = Enlarging(128, 96), FlatGated(192, 96)
        self.dc2_bt1, self.dc2_bt2 = FlatGated(96, 96, 2), FlatGated(96, 96, 4)
        self.dc2_bt3, self.dc2_2 = FlatGated(96, 96, 8), Enlarging(96, 64)
        self.dc3_1, self.dc3_2 = FlatGated(128, 64), FlatGated(64, 64)
        self.dc4, self.dc5 = Enlarging(64, 32), FlatGated(32, 16)
        self.dc6 = nn.Conv3d(16, 3, (1, 3, 3), bias=False)

    def forward(self, hidden: Tensor, s4: Tensor, s2: Tensor) -> Tensor:
        x = self.dc1_1(self.dc1(self.dc0(hidden)))
        x = self.dc2_1(torch.cat([x, s4], 1))
        x = self.dc2_2(self.dc2_bt3(self.dc2_bt2(self.dc2_bt1(x))))
        x = self.dc4(self.dc3_2(self.dc3_1(torch.cat([x, s2], 1))))
        return _flat(self.dc5(_enlarge(x, 2) if self._double_size else x), self.dc6)


def _leaky(inputs: int, outputs: int, dilation: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation)
    return nn.Sequential(conv, nn.LeakyReLU(0.1, inplace=True))


class FineFlow(nn.Module):
    """A correction of the coarse flow from a wide view. Its last layer is leaky, too."""

    def __init__(self) -> None:
        super().__init__()
        plan = [(34, 128, 1), (128, 128, 2), (128, 128, 4), (128, 96, 8), (96, 64, 16)]
        self.convs = nn.Sequential(*(_leaky(*layer) for layer in [*plan, (64, 32, 1), (32, 2, 1)]))

    def forward(self, x: Tensor) -> Tensor:
        return self.convs(x)


class FlowEstimator(nn.Module):
    """A flow from features, correlations and a flow to begin with."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        widths = [inputs, 128, 128, 96, 64, 32]
        self.convs = nn.Sequential(*map(_leaky, widths, widths[1:]))
        self.conv1 = nn.Conv2d(32, 2, 3, padding=1)
        self.convs_fine = FineFlow()

    def forward(self, x: Tensor) -> Tensor:
        x = self.convs(x)
        coarse = self.conv1(x)
        return coarse.float() + self.convs_fine(torch.cat([x, coarse], 1)).float()


class FlowNet(nn.Module):
    """The flow (B, 2, h, w), float32, from reference to source; a correction where one is given."""

    def __init__(self, channels: int, refines: bool = True) -> None:
        super().__init__()
        self.flow_estimator = FlowEstimator(channels + _CELLS + (2 if refines else 0))

    def forward(self, reference: Tensor, source: Tensor, flow: Tensor | None = None) -> Tensor:
        inputs = [reference, correlation(reference, source, _RADIUS)]
        if flow is not None:
            inputs.append(flow.to(reference.dtype))
        return self.flow_estimator(torch.cat(inputs, 1))


class Aggregator(nn.Module):
    """Five maps in, one out: a gated convolution over time that leaves a depth of one."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.stAgg = nn.Module()
        self.stAgg.conv = nn.Conv3d(
            channels, 2 * channels, (5, 3, 3), padding=(0, 1, 1), bias=False
        )

    def forward(self, maps: Tensor) -> Tensor:
        """(B, 5 C, h, w), the maps one behind the other, to (B, C, h, w)."""
        # With all of time in one step, this is a convolution of two dimensions.
        weight = self.stAgg.get_parameter("conv.weight").transpose(1, 2).flatten(1, 2)
        return _gated(functional.conv2d(maps, weight, padding=1))


class MaskNet(nn.Module):
    """Where the other may be trusted, from how far two feature maps lie apart."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        last = nn.Conv2d(half, 1, 3, padding=1)
        self.convs = nn.Sequential(_leaky(channels, half), _leaky(half, half), last)

    def forward(self, distance: Tensor) -> Tensor:
        return self.convs(distance).sigmoid()


def warp(source: Tensor, flow: Tensor, outside: str, align_corners: bool = True) -> Tensor:
    """``source`` looked up at (x, y) + flow, bilinearly.

    Args:
        source: (B, C, H, W).
        flow: (B, 2, H, W) float32, x before y, in px.
        outside: ``zeros``, or ``border`` for the nearest pixel inside.
        align_corners: True is exact; see ``VINet``.
    """
    height, width = source.shape[-2:]
    x = torch.linspace(-1, 1, width, device=flow.device)
    y = torch.linspace(-1, 1, height, device=flow.device)[:, None]
    grid = torch.stack(
        [x + flow[:, 0] * (2 / max(width - 1, 1)), y + flow[:, 1] * (2 / max(height - 1, 1))], -1
    )
    found = functional.grid_sample(
        source.float(), grid, padding_mode=outside, align_corners=align_corners
    )
    return found.to(source.dtype)


def _enlarge(x: Tensor, times: int) -> Tensor:
    return functional.interpolate(x, scale_factor=times, mode="bilinear", align_corners=False)


def _gated(x: Tensor, slope: float = 0) -> Tensor:
    """The first half of the channels, leaky below zero, times the sigmoid of the second."""
    # A sigmoid is positive, so it may be applied before the rectifier as well as behind it.
    product = functional.glu(x, 1)
    return functional.leaky_relu(product, slope) if slope else functional.relu(product)


def _flat(x: Tensor, conv: nn.Conv3d, dilation: int = 1) -> Tensor:
    return functional.conv2d(x, conv.weight.squeeze(2), padding=dilation, dilation=dilation)


def _initialise(module: nn.Module) -> None:
    """As published: flows begin anywhere, everything else as gated convolutions like it."""
    if isinstance(module, (FlowNet, MaskNet)):
        return
    if isinstance(module, FlowEstimator):
        for layer in module.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight)
                assert layer.bias is not None
                nn.init.uniform_(layer.bias)
    elif isinstance(module, (Gated, FlatGated, Enlarging, Aggregator)):
        for parameter in module.parameters():
            nn.init.kaiming_normal_(parameter, mode="fan_out")
