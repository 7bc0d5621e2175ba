"""Reading, shrinking and writing images in the portable pixmap format (PPM, binary)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Image:
    """Rows of red, green and blue bytes."""

    width: int
    height: int
    pixels: bytes

    def halved(self) -> Image:
        """Each pixel is the mean of four."""
        width, height, row = self.width // 2, self.height // 2, self.width * 3
        small = bytearray(width * height * 3)
        for y in range(height):
            for x in range(width):
                for colour in range(3):
                    at = 2 * y * row + 2 * x * 3 + colour
                    four = (at, at + 3, at + row, at + row + 3)
                    small[(y * width + x) * 3 + colour] = sum(self.pixels[i] for i in four) // 4
        return Image(width, height, bytes(small))


def read(path: Path) -> Image:
    """Raises ValueError for a file that is none."""
    kind, size, depth, pixels = path.read_bytes().split(b"\n", 3)
    width, height = map(int, size.split())
    if kind != b"P6" or depth != b"255" or len(pixels) != width * height * 3:
        raise ValueError(f"{path} is no binary PPM image of 8 bits")
    return Image(width, height, pixels)


def write(path: Path, image: Image) -> None:
    """Whole or not at all: a crash leaves no half an image."""
    part = path.with_suffix(".part")
    part.write_bytes(b"P6\n%d %d\n255\n" % (image.width, image.height) + image.pixels)
    os.replace(part, path)


def paint(path: Path, number: int) -> None:
    """A sample image, each number another one."""
    width = height = 96
    pixels = bytes(
        (x * 2 + number * 31) % 256 if colour == 0 else (y * 2 + colour * number * 17) % 256
        for y in range(height)
        for x in range(width)
        for colour in range(3)
    )
    write(path, Image(width, height, pixels))
