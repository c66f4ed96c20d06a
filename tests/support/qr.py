# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads QR codes from pictures, as a phone does: the decoder shares nothing with what draws them."""

from __future__ import annotations

import struct
import typing as t
import zlib

import zxingcpp

_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # by PNG's type of color: grey, RGB, grey with alpha, RGB with alpha


def read_qr(png: bytes) -> str:
    """The text of the one QR code in the picture."""
    width, height, grey = grey_pixels(png)
    found = zxingcpp.read_barcodes(memoryview(grey).cast("B", shape=[height, width]))
    assert [item.format for item in found] == [zxingcpp.BarcodeFormat.QRCode]
    return str(found[0].text)


def grey_pixels(png: bytes) -> tuple[int, int, bytes]:
    """Width, height, and a byte for each pixel, of a PNG that is not interlaced and has no palette."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, depth, color, _compression, _filter, interlaced = struct.unpack(">IIBBBBB", png[16:29])
    assert (interlaced, color in _CHANNELS, depth in (1, 8)) == (0, True, True)
    channels = _CHANNELS[color]
    stride, step = (width * depth * channels + 7) // 8, max(1, depth * channels // 8)
    raw = zlib.decompress(b"".join(data for name, data in _chunks(png) if name == b"IDAT"))
    grey, before = bytearray(), bytes(stride)
    for row in range(height):
        line = raw[row * (stride + 1) : (row + 1) * (stride + 1)]
        before = _unfiltered(line[0], line[1:], before, step)
        if depth == 1:
            grey += bytes(255 * (before[column // 8] >> (7 - column % 8) & 1) for column in range(width))
        else:
            grey += before[::channels]
    return width, height, bytes(grey)


def _chunks(png: bytes) -> t.Iterator[tuple[bytes, bytes]]:
    position = 8
    while position < len(png):
        (length,) = struct.unpack(">I", png[position : position + 4])
        name, data = png[position + 4 : position + 8], png[position + 8 : position + 8 + length]
        (check,) = struct.unpack(">I", png[position + 8 + length : position + 12 + length])
        assert check == zlib.crc32(name + data)
        yield name, data
        position += 12 + length


def _unfiltered(kind: int, line: bytes, before: bytes, step: int) -> bytes:
    found = bytearray(line)
    for index in range(len(line)):
        left = found[index - step] if index >= step else 0
        above, corner = before[index], before[index - step] if index >= step else 0
        found[index] = (line[index] + (0, left, above, (left + above) // 2, _paeth(left, above, corner))[kind]) & 255
    return bytes(found)


def _paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    return min((left, above, corner), key=lambda item: abs(guess - item))
