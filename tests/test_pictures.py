"""The sizes of pictures: which files have one, and how the pages of articles state it."""

import io
import itertools
import os
import re
import struct
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.content import pictures
from feeds.content.pictures import PictureSize, picture_size
from feeds.pages.pictures import complete_images

_NAMES = itertools.count()


def exif(orientation, order="<", tag=0x0112, entries=1):
    """Return Exif metadata whose last entry has an orientation."""
    others = b"".join(struct.pack(f"{order}HHIHH", number, 3, 1, 7, 0) for number in range(1, entries))
    entry = struct.pack(f"{order}HHIHH", tag, 3, 1, orientation, 0)
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(f"{order}IH", 8, entries) + others + entry + bytes(4)


def png(width, height, *chunks):
    """Return a PNG with chunks after its header, as pairs of kind and data."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in [(b"IHDR", header), *chunks, (b"IDAT", b""), (b"IEND", b"")]
    )


def segment(marker, data):
    return bytes([0xFF, marker]) + struct.pack(">H", 2 + len(data)) + data


def jpeg(width, height, *segments, marker=0xC0):
    """Return the beginning of a JPEG with segments before the one with its size."""
    return b"\xff\xd8" + b"".join(segments) + segment(marker, struct.pack(">BHHB", 8, height, width, 3) + bytes(9))


def webp(kind, data, *chunks):
    """Return a WebP with a first chunk and others, as pairs of kind and data."""
    body = b"WEBP" + b"".join(
        name + struct.pack("<I", len(part)) + part + bytes(len(part) % 2) for name, part in [(kind, data), *chunks]
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def extended_webp(width, height, *chunks, flags=0):
    sides = b"".join(struct.pack("<I", side - 1)[:3] for side in (width, height))
    return webp(b"VP8X", bytes([flags, 0, 0, 0]) + sides, *chunks)


def box(kind, data):
    return struct.pack(">I", 8 + len(data)) + kind + data


def avif(*properties):
    """Return an AVIF with these properties in its metadata."""
    meta = box(b"meta", bytes(4) + box(b"iprp", box(b"ipco", b"".join(properties))))
    return box(b"ftyp", b"avif\0\0\0\0avifmif1") + meta + box(b"mdat", bytes(99))


def ispe(width, height):
    return box(b"ispe", struct.pack(">III", 0, width, height))


def svg(attributes, before=""):
    return f'{before}<svg xmlns="http://www.w3.org/2000/svg" {attributes}><rect width="3" height="2"/></svg>'.encode()


LONG = b"\0" * 60_000
SIZES = {
    "png": (png(640, 480), (640, 480)),
    "png with exif": (png(640, 480, (b"eXIf", exif(1))), (640, 480)),
    "png rotated": (png(640, 480, (b"eXIf", exif(6))), None),
    "png without header": (b"\x89PNG\r\n\x1a\n", None),
    "empty sides": (png(0, 480), None),
    "huge sides": (png(100_001, 480), None),
    "gif": (b"GIF89a" + struct.pack("<HH", 40_000, 7) + bytes(9), (40_000, 7)),
    "gif cut": (b"GIF89a\1", None),
    "jpeg": (jpeg(640, 480), (640, 480)),
    "jpeg progressive": (jpeg(640, 480, marker=0xC2), (640, 480)),
    "jpeg with tables": (jpeg(640, 480, segment(0xC4, bytes(20)), segment(0xDB, bytes(64))), (640, 480)),
    "jpeg with fill bytes": (jpeg(640, 480, b"\xff\xff\xff", segment(0xE0, b"JFIF\0")), (640, 480)),
    "jpeg with a lone marker": (jpeg(640, 480, b"\xff\x01"), (640, 480)),
    "jpeg with profiles": (jpeg(640, 480, *[segment(0xE2, LONG)] * 5), (640, 480)),
    "jpeg upright": (jpeg(640, 480, segment(0xE1, b"Exif\0\0" + exif(3))), (640, 480)),
    "jpeg rotated": (jpeg(640, 480, segment(0xE1, b"Exif\0\0" + exif(6))), (480, 640)),
    "jpeg rotated, big endian": (jpeg(640, 480, segment(0xE1, b"Exif\0\0" + exif(8, ">", entries=9))), (480, 640)),
    "jpeg without orientation": (jpeg(640, 480, segment(0xE1, b"Exif\0\0" + exif(6, tag=0x0110))), (640, 480)),
    "jpeg with XMP": (jpeg(640, 480, segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0")), (640, 480)),
    "jpeg with broken exif": (jpeg(640, 480, segment(0xE1, b"Exif\0\0XX")), None),
    "jpeg with cut exif": (jpeg(640, 480, segment(0xE1, b"Exif\0\0" + exif(6)[:12])), None),
    "jpeg without size": (b"\xff\xd8" + segment(0xE0, b"JFIF\0") + b"\xff\xd9", None),
    "jpeg, then nothing": (b"\xff\xd8" + segment(0xE0, b"JFIF\0"), None),
    "jpeg with garbage": (b"\xff\xd8\xff\xe0\0\4ab" + b"\0" * 1000, None),
    "webp": (webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 640 | 0x4000, 480)), (640, 480)),
    "webp lossless": (webp(b"VP8L", b"\x2f" + struct.pack("<I", 639 | 479 << 14)), (640, 480)),
    "webp extended": (extended_webp(70_000, 480), (70_000, 480)),
    "webp with exif": (extended_webp(640, 480, (b"VP8 ", bytes(7)), (b"EXIF", exif(1)), flags=8), (640, 480)),
    "webp rotated": (extended_webp(640, 480, (b"EXIF", b"Exif\0\0" + exif(6)), flags=8), None),
    "webp without its exif": (extended_webp(640, 480, flags=8), None),
    "webp with many chunks": (extended_webp(640, 480, *[(b"ANMF", b"")] * 500, flags=8), None),
    "webp of another kind": (webp(b"VP9 ", bytes(30)), None),
    "avif": (avif(ispe(640, 480)), (640, 480)),
    "avif with transparency": (avif(ispe(640, 480), box(b"pixi", bytes(8)), ispe(640, 480)), (640, 480)),
    "avif with parts": (avif(ispe(640, 480), ispe(512, 512)), None),
    "avif rotated": (avif(ispe(640, 480), box(b"irot", b"\1")), None),
    "avif cropped": (avif(ispe(640, 480), box(b"clap", bytes(32))), None),
    "avif cut": (avif(ispe(640, 480))[:60], None),
    "avif with long metadata": (avif(ispe(640, 480), box(b"free", bytes(5000))), None),
    "svg": (svg('width="640" height="480"'), (640, 480)),
    "svg with units": (svg("width='25.4mm' height='1in'"), (96, 96)),
    "svg with a tiny side": (svg('width="20px" height="0.2px"'), (20, 1)),
    "svg after a comment": (svg('width="64" height="48"', '<?xml version="1.0"?><!-- <svg width="9" height="9"> -->'), (64, 48)),
    "svg with a view box": (svg('viewBox="-5 0,640.4 480"'), (640, 480, True)),
    "svg with a small view box": (svg('viewBox="0 0 1 0.25"'), (400, 100, True)),
    "svg with an empty view box": (svg('viewBox="0 0 0 5"'), None),
    "svg with a broken view box": (svg('viewBox="640 480"'), None),
    "svg without size": (svg(""), None),
    "svg with one side": (svg('width="640" viewBox="0 0 640 480"'), None),
    "svg in percent": (svg('width="100%" height="480"'), None),
    "svg with a style": (svg('width="640" height="480" style="width: 3px"'), None),
    "svg in lines only": (svg('stroke-width="640" height="480"'), None),
    "text": (b"P5 " + b"9" * 100_000, None),
    "nothing": (b"", None),
}  # fmt: skip


@pytest.mark.parametrize("name", SIZES)
def test_sizes(name, tmp_path):
    """The size of a picture is the one in which browsers show it; it is unknown if its header does not tell that."""
    content, size = SIZES[name]
    file = tmp_path / "picture"
    file.write_bytes(content)
    assert picture_size(file) == (size and PictureSize(*size))


@given(st.sampled_from(sorted(SIZES)), st.binary(max_size=8), st.integers(0, 200), st.integers(0, 300))
def test_damaged_files(tmp_path_factory, name, damage, start, length):
    """A damaged file has a size or none, and raises no error."""
    content = SIZES[name][0]
    file = tmp_path_factory.getbasetemp() / f"damaged{next(_NAMES)}"
    file.write_bytes((content[:start] + damage + content[start + len(damage) :])[:length])
    size = picture_size(file)
    assert size is None or (size.width > 0 and size.height > 0)
    file.unlink()


def test_few_bytes_are_read(tmp_path, monkeypatch):
    """A large file, whatever it contains, is not read beyond the headers of a limited number of its parts."""
    reads = []

    class CountedFile(io.FileIO):
        def readinto(self, buffer):
            reads.append(super().readinto(buffer))
            return reads[-1]

    def open_counted(file, mode, buffering):
        return io.BufferedReader(CountedFile(file, mode), buffering)

    monkeypatch.setattr(pictures, "open", open_counted, raising=False)
    for number, content in enumerate([
        b"\xff\xd8\xff" + bytes(3_000_000), b"\xff\xd8" + b"\xff" * 3_000_000, b"\xff\xd8" + b"\xff\xe0\0\2" * 500_000,
        b"\xff\xd8" + segment(0xE1, b"Exif\0\0" + exif(6, tag=1)) * 50_000, b"\xff\xd8" + b"\xff\xe0\0\0" * 500_000,
        b"\xff\xd8" + segment(0xE2, bytes(10_000)) * 300, extended_webp(640, 480, *[(b"ANMF", bytes(9_999))] * 300, flags=8),
        avif(*[ispe(640, 480)] * 100_000),
        b"<svg " + b"a" * 3_000_000, b"<!--" * 500_000, png(640, 480, (b"iTXt", bytes(3_000_000))),
    ]):  # fmt: skip
        file = tmp_path / f"{number}"
        file.write_bytes(content)
        reads.clear()
        picture_size(file)
        assert reads
        assert sum(reads) < 1_000_000
        assert len(reads) <= 410  # a part may begin at the end of the buffer


def test_a_replaced_picture(tmp_path):
    """The size of a picture is read again when the file has changed, and no other time."""
    file = tmp_path / "a.png"
    file.write_bytes(png(640, 480))
    os.utime(file, (1, 1))
    assert picture_size(file) == PictureSize(640, 480)
    file.write_bytes(png(320, 240))
    os.utime(file, (1, 1))
    assert picture_size(file) == PictureSize(640, 480)
    os.utime(file, (2, 2))
    assert picture_size(file) == PictureSize(320, 240)
    file.unlink()
    assert picture_size(file) is None
    assert picture_size(tmp_path) is None


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<img src="a" alt="">', '<img src="a" alt="" width="640" height="480">'),
        ('<img src="a" width="320">', '<img src="a" width="320" height="240">'),
        ('<img src="a" width="1">', '<img src="a" width="1" height="1">'),
        ('<img src="a" width="50%">', '<img src="a" width="50%">'),
        ('<img src="a" width="">', '<img src="a" width="">'),
        ('<img src="a" width="٣">', '<img src="a" width="٣">'),
        (f'<img src="a" width="{"9" * 400}">', f'<img src="a" width="{"9" * 400}">'),
        (f'<img src="a" width="{"9" * 5_000}">', f'<img src="a" width="{"9" * 5_000}">'),
        ('<img src="a" height="7">', '<img src="a" height="7">'),
        ('<img src="a" width="5" height="7">', '<img src="a" width="5" height="7">'),
        ('<img src="unknown">', '<img src="unknown">'),
        ('<img src="unknown" width="3">', '<img src="unknown" width="3">'),
        ('<img src="a&amp;b">', '<img src="a&amp;b" width="8" height="9">'),
        ("<img>", "<img>"),
        ('<img src="a" srcset="b 2x">', '<img src="a" srcset="b 2x">'),
        ('<picture><source srcset="b"><img src="a"></picture><img src="a">',
         '<picture><source srcset="b"><img src="a"></picture><img src="a" width="640" height="480" loading="lazy">'),
        ('<img src="x"><p><img src="a" alt="&lt;img>"></p>',
         '<img src="x"><p><img src="a" alt="&lt;img>" width="640" height="480" loading="lazy"></p>'),
        ("<p>No picture</p>", "<p>No picture</p>"),
    ],
)  # fmt: skip
def test_images(html, expected):
    """An image states its size unless its author has given one; all but the first are loaded when they are needed."""
    sizes = {"a": PictureSize(640, 480), "a&b": PictureSize(8, 9)}
    assert complete_images(html, sizes.get, is_first=True) == expected


def test_images_after_the_lead_image():
    """If the page shows the article's picture above the text, all images of the text are loaded when they are needed."""
    html = '<img src="a"><img src="b" loading="eager">'
    expected = '<img src="a" loading="lazy"><img src="b" loading="eager">'
    assert complete_images(html, {}.get, is_first=False) == expected


def images(text):
    """Return the pictures of a page as (name, width, height, whether it is loaded when it is needed)."""
    tags = [dict(re.findall(r' ([a-z]+)="([^"]*)"', tag)) for tag in re.findall("<img[^>]*>", text)]
    return [(tag["src"].rpartition("/")[2], tag.get("width"), tag.get("height"), "loading" in tag) for tag in tags]


@pytest.fixture
def gallery(site):
    """Return a site whose article has pictures in its folder, in the content folder, static ones and remote ones."""
    site.configure(site={"pages": True, "logo": "/static/logo.svg"})
    (site.root / "static").mkdir()
    (site.root / "static/logo.svg").write_bytes(svg('viewBox="0 0 60 20"'))
    (site.root / "static/scalable.svg").write_bytes(svg('viewBox="0 0 60 20"'))
    (site.root / "static/s.png").write_bytes(png(50, 60))
    (site.root / "outside.png").write_bytes(png(7, 8))
    site.write("a/own.png", png(10, 20))
    site.write("a/lead%20.png", png(11, 22))
    site.write("img/shared.png", png(30, 40))
    site.write("img/hidden/.secret.png", png(1, 2))
    site.article(
        "a/index.md",
        "![](own.png?v=1)\n\n![](/img/shared.png)\n\n![](/static/s.png)\n\n![](/static/scalable.svg)\n\n![](https://else.example/x.png)\n\n"
        "![](missing.png)\n\n![](../../outside.png)\n\n![](/img/hidden/.secret.png)",
        image="lead%2520.png",
        slug="a",
    )
    return site


@pytest.mark.databases("sqlite", "postgres")
def test_pages_of_articles(gallery, app):
    """Pages state the sizes of pictures in all public folders, of the lead image and of the logo, and of no others."""
    gallery.publish()
    served = app(gallery).get("/a/").body.decode()
    assert images(served) == [
        ("logo.svg", "120", "40", False), ("lead%2520.png", "11", "22", False), ("own.png?v=1", "10", "20", True),
        ("shared.png", "30", "40", True), ("s.png", "50", "60", True),
        ("scalable.svg", None, None, True), ("x.png", None, None, True),
        ("missing.png", None, None, True), ("outside.png", None, None, True), (".secret.png", None, None, True),
    ]  # fmt: skip
    assert gallery.run("build").returncode == 0
    assert (gallery.root / "public/a/index.html").read_text() == served
    assert "width" not in (gallery.root / "public/rss.xml").read_text()
    assert "loading" not in (gallery.root / "public/rss.xml").read_text()


def test_a_logo_of_unknown_size(gallery, app):
    """A logo whose size is unknown has no width, and one on another site either."""
    gallery.publish()
    for logo in ("https://else.example/logo.png", "/static/missing.png", "/logo.png"):
        gallery.configure(site={"pages": True, "logo": logo})
        assert images(app(gallery).get("/a/").body.decode())[0][1:] == (None, "40", False)


@pytest.mark.parametrize("picture", ["content/a/own.png", "content/img/shared.png", "static/s.png", "static/logo.svg"])
def test_export_of_a_replaced_picture(gallery, picture):
    """An export writes a page again when the size of a picture on it has changed, but not when the picture has."""
    assert gallery.run("build").returncode == 0
    page, file = gallery.root / "public/a/index.html", gallery.root / picture
    before = images(page.read_text())
    old = page.stat().st_mtime_ns
    file.write_bytes(file.read_bytes() + b" ")
    assert gallery.run("build").returncode == 0
    assert page.stat().st_mtime_ns == old
    file.write_bytes(svg('width="90" height="20"') if picture.endswith("svg") else png(300, 200))
    assert gallery.run("build").returncode == 0
    after = images(page.read_text())
    changed = [new for new, old in zip(after, before, strict=True) if new != old]
    assert [image[:3] for image in changed] == [
        ("logo.svg", "180", "40") if picture.endswith("svg") else (changed[0][0], "300", "200")
    ]


def test_serving_a_replaced_picture(gallery, app, monkeypatch):
    """A page that shows a picture is rendered again after a minute, and its ETag changes with the picture's size."""
    gallery.publish()
    client = app(gallery)
    first = client.get("/a/")
    (gallery.root / "content/img/shared.png").write_bytes(png(300, 200))
    assert client.get("/a/").body == first.body
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 61)
    second = client.get("/a/", if_none_match=first.headers["etag"])
    assert second.status == 200
    assert ("shared.png", "300", "200", True) in images(second.body.decode())
    assert client.get("/a/", if_none_match=second.headers["etag"]).status == 304
