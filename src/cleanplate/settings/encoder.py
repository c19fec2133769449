"""What can be told the encoder. Apart from ``codecs``, so that the commands start without av."""

from __future__ import annotations

from dataclasses import dataclass

from cleanplate.settings.fields import check, setting


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """How the result is encoded."""

    codec: str = setting(
        "auto", "Codec or encoder: auto (the source's family), h264, hevc, vp9, av1, prores, ffv1."
    )
    quality: int | None = setting(
        None, "On the encoder's own scale, smaller is better; unset: as good as the source.", low=0
    )
    preset: str | None = setting(None, "Speed of the encoder, by the encoder's own name.")
    lossless: bool = setting(False, "Keep every sample outside the mask exactly.")

    sound: str = setting(
        "copy",
        "Sound that the output cannot carry as it is: copy (leave it out) or encode (anew).",
        choices=("copy", "encode"),
    )

    def __post_init__(self) -> None:
        check(self)
