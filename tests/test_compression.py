"""Encoded bodies: they decode to the original bytes, and the encoding is deterministic."""

import gzip

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from feeds.compression import CODINGS, encode

DECODE = {"br": brotli.decompress, "gzip": gzip.decompress, "zstd": zstandard.ZstdDecompressor().decompress}


@pytest.mark.parametrize("coding", CODINGS)
@given(body=st.binary(max_size=5000))
def test_there_and_back(coding, body):
    """Encoded bytes decode to the original, and are the same each time."""
    assert DECODE[coding](encode(body, coding)) == body
    assert encode(body, coding) == encode(body, coding)


@pytest.mark.parametrize("coding", CODINGS)
def test_smaller(coding):
    """Text becomes much smaller."""
    assert len(encode(b"The ferry company publishes its winter timetable. " * 200, coding)) < 1000
