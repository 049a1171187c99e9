"""Films made by PyAV: plain colours, one scene after the other, with a white bar that may move."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RED, GREEN, BLUE = (200, 30, 30), (30, 170, 30), (30, 30, 200)
CODECS = {".mp4": "libx264", ".mkv": "libx264", ".mov": "mpeg4", ".avi": "mpeg4",
          ".webm": "libvpx", ".m4v": "mpeg4"}  # fmt: skip


def film(
    file: Path,
    scenes: tuple = (RED, GREEN, BLUE),
    *,
    scene_s: float = 2.0,
    fps: int = 5,
    pixels: str = "yuv420p",
    codec: str = "",
    times: tuple = (),
) -> Path:
    """Write a film whose scenes are these colours; each frame has a white corner.

    times, seconds, are when its frames are shown, where they are not evenly spaced.
    """
    frames = [colour for colour in scenes for _ in range(int(scene_s * fps))]
    with av.open(str(file), "w") as container:
        stream = container.add_stream(codec or CODECS[file.suffix.lower()], rate=fps)
        stream.width, stream.height, stream.pix_fmt = 128, 96, pixels
        for number, colour in enumerate(frames):
            values = np.full((96, 128, 3), colour, np.uint8)
            values[:32, :32] = 255
            frame = av.VideoFrame.from_ndarray(values, format="rgb24").reformat(format=pixels)
            frame.time_base = Fraction(1, 1000)
            frame.pts = int(1000 * (times[number] if times else number / fps))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file


def sound(file: Path) -> Path:
    """Write a film of one second that has sound alone."""
    with av.open(str(file), "w") as container:
        stream = container.add_stream("aac", rate=16_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file


def turn(file: Path) -> Path:
    """Let an .mp4 or .mov say that it is to be shown turned by 90 degrees, clockwise."""
    data = file.read_bytes()
    upright = b"".join(n.to_bytes(4, "big") for n in (0x10000, 0, 0, 0, 0x10000, 0, 0, 0))
    turned = b"".join(n.to_bytes(4, "big") for n in (0, 0x10000, 0, 0xFFFF0000, 0, 0, 0, 0))
    at = data.index(upright, data.index(b"tkhd"))
    file.write_bytes(data[:at] + turned + data[at + len(upright) :])
    return file
