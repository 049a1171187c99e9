from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from icc_profiles import ADOBE_RGB, SRGB, grey_profile, rgb_profile
from PIL import Image, ImageCms

from sigscope.images.colour import MAX_BYTES
from sigscope.images.read import open_picture

ADOBE = rgb_profile()
SRGB_ITSELF = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

NEARLY_SRGB = rgb_profile([[share + 0.0002 for share in row] for row in SRGB], gamma=None)


def colours(n=64, seed=0):
    """Return a one-row picture of random colours."""
    pixels = np.random.default_rng(seed).integers(0, 256, (1, n, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def tagged(picture, profile, format="PNG", **options):
    """Return the bytes of a picture with a profile."""
    file = BytesIO()
    picture.save(file, format, icc_profile=profile, **options)
    return file.getvalue()


def by_hand(pixels, primaries, gamma):
    """Return the sRGB values, 0–255 and not rounded, of pixels in another colour space."""
    linear = (np.asarray(pixels, float) / 255) ** gamma @ np.array(primaries)
    linear = np.clip(linear @ np.linalg.inv(np.array(SRGB)), 0, 1)
    bent = 1.055 * linear ** (1 / 2.4) - 0.055
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, bent)


def test_adobe_rgb_agrees_with_the_formula():
    shown = np.asarray(open_picture(tagged(colours(), ADOBE)), float)
    np.testing.assert_allclose(shown, by_hand(colours(), ADOBE_RGB, 563 / 256), atol=2)


def test_wide_colours_would_be_pale_without_their_profile():
    green = Image.new("RGB", (1, 1), (100, 200, 100))
    shown = open_picture(tagged(green, ADOBE)).getpixel((0, 0))
    assert shown[0] < 60 and shown[1] >= 200, "the same light takes less red in sRGB"


def test_a_profile_is_followed_once():
    once = open_picture(tagged(colours(), ADOBE))
    assert open_picture(once).tobytes() == once.tobytes()


@pytest.mark.parametrize(
    "profile",
    [SRGB_ITSELF, NEARLY_SRGB, b"nonsense", ADOBE[:200], ADOBE[:16] + b"CMYK"],
)
def test_a_profile_of_srgb_or_none_at_all_changes_no_byte(profile):
    assert open_picture(tagged(colours(500), profile)).tobytes() == colours(500).tobytes()


def test_a_huge_profile_is_not_read():
    picture = colours()
    picture.info["icc_profile"] = ADOBE + bytes(MAX_BYTES)
    assert open_picture(picture).tobytes() == colours().tobytes()


def test_grey_follows_its_own_curve():
    # linear grey 0.5 is 188 in sRGB: 255 · (1.055 · 0.5 ** (1 / 2.4) − 0.055) = 187.5
    shown = open_picture(tagged(Image.new("L", (1, 1), 128), grey_profile(gamma=1)))
    np.testing.assert_allclose(shown.getpixel((0, 0)), (188, 188, 188), atol=1)


@pytest.mark.parametrize(("mode", "profile"), [("RGB", grey_profile()), ("CMYK", ADOBE)])
def test_a_profile_for_another_kind_of_picture_is_ignored(mode, profile):
    picture = colours().convert(mode)
    plain = open_picture(picture)
    picture.info["icc_profile"] = profile
    assert open_picture(picture).tobytes() == plain.tobytes()


def test_transparency_outlives_the_profile():
    picture = colours(2).convert("RGBA")
    picture.putalpha(Image.frombytes("L", (2, 1), b"\0\xff"))
    shown = open_picture(tagged(picture, ADOBE))
    alone = open_picture(tagged(colours(2), ADOBE))
    assert shown.getpixel((0, 0)) == (255, 255, 255)
    assert shown.getpixel((1, 0)) == alone.getpixel((1, 0))


def test_a_palette_follows_the_profile():
    drawn = colours(8).quantize(8)
    shown = open_picture(tagged(drawn, ADOBE))
    alone = open_picture(tagged(drawn.convert("RGB"), ADOBE))
    np.testing.assert_allclose(np.asarray(shown, int), np.asarray(alone, int), atol=1)


def test_threads_may_share_a_profile():
    given = [tagged(colours(seed=seed), ADOBE) for seed in range(40)]
    alone = [open_picture(content).tobytes() for content in given]
    with ThreadPoolExecutor(8) as pool:
        assert [p.tobytes() for p in pool.map(open_picture, given)] == alone
