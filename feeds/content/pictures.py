"""Reads the sizes of pictures. Pages state them, so that text does not move while pictures load.

Only headers are read: the first 4 KiB, and for JPEG and WebP the headers of up to 200 parts, with the Exif metadata. A
file with the name of a picture may contain anything; if it can't be parsed, its size is unknown. Browsers agree on how
Exif metadata rotates a JPEG, but not on other formats: there, the size of a rotated picture is unknown.
"""

import re
import stat
import struct
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

from feeds.content.public_files import PublicFiles
from feeds.content.static_files import StaticFiles
from feeds.core import paths
from feeds.core.article_files import has_own_folder
from feeds.core.parse.media import media_type

_HEAD_BYTES = 4096
_MAX_PARTS = 200  # segments of a JPEG, chunks of a WebP, whose headers are read
_MAX_EXIF_BYTES = 1 << 16  # the maximal length of a segment of a JPEG
_MAX_PIXELS = 100_000  # of the width, and of the height
_MIN_OF_RATIO = 100  # a smaller number would be rounded by more than half a percent
_MAX_CACHED = 10_000
_PNG, _JPEG, _GIF = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", (b"GIF87a", b"GIF89a")
_EXIF = b"Exif\0\0"
_ORIENTATION = 0x0112
_ROTATED = {5, 6, 7, 8}  # orientations in which width and height are exchanged
_BYTE_ORDERS = {b"II": "<", b"MM": ">"}
_SIZE_MARKERS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_EXIF_MARKER, _FILL = 0xE1, 0xFF
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8)}
_END_OF_HEADERS = {0xD9, 0xDA}
_WEBP_EXIF = 0x08
_AVIF_SIZE = re.compile(rb"\0\0\0\x14ispe\0\0\0\0(.{8})", re.DOTALL)
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
_SVG = re.compile(rb"<svg(\s[^<>]*)>")
_SVG_ATTRIBUTE = re.compile(rb"""\s([A-Za-z:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_LENGTH = re.compile(rb"\s*([0-9]{1,6}(?:\.[0-9]{1,9})?)(px|pt|pc|in|cm|mm|)\s*")
_VIEW_BOX = re.compile(
    rb"\s*(?:-?[0-9.]{1,20}[\s,]+){2}([0-9]{1,6}(?:\.[0-9]{1,9})?)[\s,]+([0-9]{1,6}(?:\.[0-9]{1,9})?)\s*"
)
_PIXELS = {b"": 1.0, b"px": 1.0, b"pt": 4 / 3, b"pc": 16.0, b"in": 96.0, b"cm": 96 / 2.54, b"mm": 96 / 25.4}


class PictureSize(NamedTuple):
    """The size in which browsers show a picture, in CSS pixels.

    If `is_scalable` is true, the picture is an SVG of which only the ratio is known: browsers show it in any size.
    """

    width: int
    height: int
    is_scalable: bool = False


class Pictures:
    """Finds the pictures of a site and returns their sizes. Thread-safe."""

    def __init__(self, files: PublicFiles, static_files: StaticFiles) -> None:
        """Find pictures among the files of articles and the static files."""
        self._files = files
        self._static_files = static_files
        self._known: dict[str, PictureSize | None] = {}

    def remember(self, path: str, file: Path) -> None:
        """Read the size of the picture that is published at a path, and assume that it does not change.

        An export lists all files before it renders pages, and so finds each file once.
        """
        self._known[path] = picture_size(file)

    def known_sizes(self, files: Iterable[str]) -> list[PictureSize]:
        """Return the remembered sizes of the pictures among the files at these paths."""
        return [size for path in files if (size := self._known.get(path))]

    def size(self, path: str, page: str = "", article: str = "") -> PictureSize | None:
        """Return the size of the picture at a path of the site; None if there is none, or if its size is unknown.

        Args:
            path: the path, without percent-encoding.
            page: the path of the page that shows the picture.
            article: the path of this page's article in the content folder.
        """
        if path in self._known:
            return self._known[path]
        file = self._find(path, page, article) if is_picture(path) else None
        return picture_size(file) if file else None

    def _find(self, path: str, page: str, article: str) -> Path | None:
        folder = paths.folder_of_page(page) if has_own_folder(article) else ""
        if folder and path.startswith(folder):
            file = self._files.find_in_own_folder(article, path.removeprefix(folder), path)
            if file:
                return file
        if file := self._static_files.find_by_path(path):
            return file
        return self._files.find(path.removeprefix("/"))


def is_picture(path: str) -> bool:
    """Return whether a file is a picture, by its name."""
    return media_type(path).startswith("image/")


def picture_size(file: Path) -> PictureSize | None:
    """Return the size of a picture; None if it is unknown. The header of an unchanged file is read once."""
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            return None
        return _read_size(str(file), status.st_mtime_ns, status.st_size)
    except (OSError, ValueError):  # it was removed meanwhile; an invalid name
        return None


@lru_cache(maxsize=_MAX_CACHED)
def _read_size(file: str, _mtime_ns: int, _size: int) -> PictureSize | None:
    with open(file, "rb", buffering=_HEAD_BYTES) as stream:  # noqa: PTH123  # faster
        try:
            size = _parse(stream)
        except (struct.error, _UnknownSizeError):  # struct.error: the file is too short
            return None
    return size if 0 < size.width <= _MAX_PIXELS and 0 < size.height <= _MAX_PIXELS else None


class _UnknownSizeError(Exception):
    """Raised for a file whose size can't be read from its header."""


def _parse(stream: BinaryIO) -> PictureSize:
    """Return the size of a picture. Raise `_UnknownSizeError`, or `struct.error` if it is too short."""
    head = stream.read(_HEAD_BYTES)
    if head.startswith(_PNG):
        return _parse_png(head)
    if head.startswith(_GIF):
        return PictureSize(*struct.unpack_from("<HH", head, 6))
    if head.startswith(_JPEG):
        return _parse_jpeg(stream)
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _parse_webp(head, stream)
    if head[4:8] == b"ftyp":
        return _parse_avif(head)
    return _parse_svg(head)


def _parse_png(head: bytes) -> PictureSize:
    exif = head.find(b"eXIf")
    if exif >= 0:  # a screenshot of macOS has it, for example
        (length,) = struct.unpack_from(">I", head, exif - 4)
        _require_upright(head[exif + 4 : exif + 4 + length])
    return PictureSize(*struct.unpack_from(">II", head, 16))


def _parse_jpeg(stream: BinaryIO) -> PictureSize:
    position, orientation = 2, None
    for _ in range(_MAX_PARTS):
        stream.seek(position)
        header = stream.read(10)
        first, marker = struct.unpack_from("BB", header)
        if first != _FILL or marker in _END_OF_HEADERS:
            break
        if marker == _FILL:  # any number of these bytes may be before a marker
            position += 1
        elif marker in _WITHOUT_LENGTH:
            position += 2
        elif marker in _SIZE_MARKERS:
            height, width = struct.unpack_from(">HH", header, 5)
            return PictureSize(height, width) if orientation in _ROTATED else PictureSize(width, height)
        else:
            (length,) = struct.unpack_from(">H", header, 2)
            if marker == _EXIF_MARKER and header[4:10] == _EXIF and orientation is None:
                orientation = _exif_orientation(stream.read(max(0, length - 2 - len(_EXIF))))
            position += 2 + length
    raise _UnknownSizeError


def _require_upright(tiff: bytes) -> None:
    """Raise `_UnknownSizeError` if Exif metadata rotates a picture by a quarter."""
    if _exif_orientation(tiff) in _ROTATED:
        raise _UnknownSizeError


def _exif_orientation(tiff: bytes) -> int:
    """Return the orientation in the first directory of Exif metadata; 1, which is upright, if it has none."""
    order = _BYTE_ORDERS.get(tiff[:2])
    if order is None:
        raise _UnknownSizeError
    (start,) = struct.unpack_from(f"{order}I", tiff, 4)
    (count,) = struct.unpack_from(f"{order}H", tiff, start)
    for entry in range(count):
        tag, _type, _count, value = struct.unpack_from(f"{order}HHIH", tiff, start + 2 + 12 * entry)
        if tag == _ORIENTATION:
            return int(value)
    return 1


def _parse_webp(head: bytes, stream: BinaryIO) -> PictureSize:
    kind = head[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", head, 26)
        return PictureSize(width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", head, 21)
        return PictureSize((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8X":
        flags, width, width_high, height, height_high = struct.unpack_from("<B3xHBHB", head, 20)
        if flags & _WEBP_EXIF:
            _require_upright(_webp_exif(stream))
        return PictureSize((width | width_high << 16) + 1, (height | height_high << 16) + 1)
    raise _UnknownSizeError


def _webp_exif(stream: BinaryIO) -> bytes:
    position = 12
    for _ in range(_MAX_PARTS):
        stream.seek(position)
        kind, length = struct.unpack("<4sI", stream.read(8))
        if kind == b"EXIF":
            return stream.read(min(length, _MAX_EXIF_BYTES)).removeprefix(_EXIF)
        position += 8 + length + length % 2
    raise _UnknownSizeError


def _parse_avif(head: bytes) -> PictureSize:
    """Return the size of a picture if all images in the file, such as its transparency, have the same size."""
    (position,) = struct.unpack_from(">I", head)
    length, kind = struct.unpack_from(">I4s", head, position)
    properties = head[position : position + length]
    sizes = set(_AVIF_SIZE.findall(properties))
    is_complete = kind == b"meta" and len(properties) == length
    if not is_complete or len(sizes) != 1 or b"irot" in properties or b"clap" in properties:  # rotated, cropped
        raise _UnknownSizeError
    return PictureSize(*struct.unpack(">II", sizes.pop()))


def _parse_svg(head: bytes) -> PictureSize:
    """Return the size in the attributes of the root element, or else the ratio of its view box."""
    root = _SVG.search(_COMMENT.sub(b"", head))
    attributes = {name: one or two for name, one, two in _SVG_ATTRIBUTE.findall(root[1])} if root else {}
    if b"style" in attributes:
        raise _UnknownSizeError
    width, height = (attributes.get(name, b"") for name in (b"width", b"height"))
    if not (width or height) and (box := _VIEW_BOX.fullmatch(attributes.get(b"viewBox", b""))):
        return _ratio(float(box[1]), float(box[2]))
    lengths = _LENGTH.fullmatch(width), _LENGTH.fullmatch(height)
    if not (lengths[0] and lengths[1]):
        raise _UnknownSizeError
    return PictureSize(_pixels(*lengths[0].groups()), _pixels(*lengths[1].groups()))


def _ratio(width: float, height: float) -> PictureSize:
    """Return a ratio in whole numbers, which must be large enough if it has fractions: 1 to 0.25 is 400 to 100."""
    if not (width and height):  # browsers show nothing
        raise _UnknownSizeError
    is_whole = width.is_integer() and height.is_integer()
    scale = 1.0 if is_whole else max(1.0, _MIN_OF_RATIO / min(width, height))
    return PictureSize(round(width * scale), round(height * scale), is_scalable=True)


def _pixels(number: bytes, unit: bytes) -> int:
    return max(1, round(float(number) * _PIXELS[unit]))
