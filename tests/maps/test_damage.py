"""A map says what was written, and an old one stays until the new one is whole."""

import os
import shutil

import numpy as np
import pytest
from small_maps import island_map

from sigscope.maps import map as maps
from sigscope.maps.map import StaleMap, read_map, write_map


def same(one, other) -> bool:
    parts = ("ids", "kinds", "places", "settings", "scores", "trust")
    return all(np.array_equal(getattr(one, part), getattr(other, part)) for part in parts)


class Died(BaseException):
    """Stands in for a kill."""


@pytest.fixture
def folder(tmp_path):
    write_map(tmp_path / "map", island_map())
    return tmp_path / "map"


def test_no_changed_byte_of_the_record_is_believed(folder):
    record = folder / maps.RECORD
    whole, expected = record.read_bytes(), read_map(folder)
    rng = np.random.default_rng(0)
    for place in [*range(60), *rng.integers(0, len(whole), 300)]:
        for flip in (1, 16):
            body = bytearray(whole)
            body[place] ^= flip
            record.write_bytes(body)
            try:
                assert same(read_map(folder), expected), "white space alone may change"
            except StaleMap as reason:
                assert "make" in str(reason)


def write_and_die_at(number, folder, made, monkeypatch) -> bool:
    """Write a map over that in folder until move number; return whether it was not reached."""
    real, moves = os.replace, iter(range(10**6))

    def replace(*names):
        if next(moves) == number:
            raise Died
        return real(*names)

    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", replace)
        try:
            write_map(folder, made)
        except Died:
            return False
    return True


def test_killed_at_any_moment_of_saving_over_an_old_map_one_of_them_is_whole(folder, monkeypatch):
    old, new = read_map(folder), island_map(captions=True)
    for number in range(10):
        copy = shutil.copytree(folder, folder.parent / f"copy-{number}")
        if write_and_die_at(number, copy, new, monkeypatch):
            break
        assert same(read_map(copy), old), f"stopped at move {number}"
    assert number == 4, "three arrays and the record"
    assert same(read_map(copy), new) and len(list(copy.glob("*.npy"))) == 3
