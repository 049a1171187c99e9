import os
import struct
import zlib
from io import BytesIO, StringIO, UnsupportedOperation

import numpy as np
import pytest
from PIL import Image, ImageOps

from sigscope.images.read import MAX_PIXELS, PictureError, open_picture

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
ORIENTATION = 0x0112


def encoded(picture, format, **options):
    """Return the bytes of a picture saved in a format."""
    file = BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def noise(side=64):
    """Return a picture that no encoder can make small."""
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def deep(values, dtype, format="TIFF"):
    """Return the bytes of a one-row grey picture with these values."""
    return encoded(Image.fromarray(np.array([values], dtype)), format)


def greys(source):
    """Return the red channel of the first row, having checked that all channels agree."""
    row = np.asarray(open_picture(source))[0]
    assert (row == row[:, :1]).all(), "a grey picture must stay grey"
    return row[:, 0].tolist()


def refusal(source):
    """Return the sentence with which a source is refused."""
    with pytest.raises(PictureError) as caught:
        open_picture(source)
    return str(caught.value)


def png_that_claims(width, height):
    """Return a PNG of a few bytes whose header promises width × height pixels."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


# --- every mode becomes RGB as a person would see it


@pytest.mark.parametrize("format", ["PNG", "GIF", "BMP", "TIFF"])
def test_lossless_formats_keep_their_colours(format):
    picture = open_picture(encoded(Image.new("RGB", (3, 2), RED), format))
    assert (picture.mode, picture.size) == ("RGB", (3, 2))
    assert picture.getpixel((2, 1)) == RED


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF"])
def test_lossy_formats_come_close(format):
    picture = open_picture(encoded(Image.new("RGB", (16, 16), RED), format))
    np.testing.assert_allclose(picture.getpixel((8, 8)), RED, atol=4)


def test_cmyk_jpeg_shows_its_ink_on_paper():
    magenta = Image.new("CMYK", (16, 16), (0, 255, 0, 0))
    picture = open_picture(encoded(magenta, "JPEG", quality=95))
    np.testing.assert_allclose(picture.getpixel((8, 8)), (255, 0, 255), atol=4)


def test_grey_with_alpha_is_laid_on_white():
    picture = Image.new("LA", (2, 1), (100, 255))
    picture.putpixel((1, 0), (0, 0))
    assert greys(encoded(picture, "PNG")) == [100, 255]


def test_one_bit_is_black_and_white():
    picture = Image.new("1", (2, 1))
    picture.putpixel((1, 0), 1)
    assert greys(encoded(picture, "PNG")) == [0, 255]


def test_a_transparent_palette_colour_is_white():
    picture = Image.new("P", (2, 1))
    picture.putpalette([*RED, *BLUE])
    picture.putpixel((1, 0), 1)
    shown = open_picture(encoded(picture, "PNG", transparency=0))
    assert [shown.getpixel((x, 0)) for x in (0, 1)] == [WHITE, BLUE]


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_the_colour_hidden_under_transparency_stays_hidden(format):
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    hidden = encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 0)), format, **options)
    assert open_picture(hidden).getpixel((0, 0)) == WHITE


def test_half_transparent_red_is_pink():
    picture = open_picture(Image.new("RGBA", (1, 1), (255, 0, 0, 51)))
    assert picture.getpixel((0, 0)) == (255, 204, 204), "51 / 255 is a fifth of red"


def test_premultiplied_modes_are_laid_on_white():
    assert greys(Image.new("La", (1, 1))) == [255]
    assert greys(Image.new("RGBa", (1, 1))) == [255]


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_clipped(format):
    # 65535 / 255 = 257, so 257 steps of 16 bits are one step of 8
    assert greys(deep([0, 257, 25_700, 65_535], np.uint16, format)) == [0, 1, 100, 255]


def test_a_dark_sixteen_bit_picture_stays_dark():
    assert greys(deep([0, 257], np.uint16, "PNG")) == [0, 1]


@pytest.mark.parametrize(("white", "half"), [(1_023, 512), (4_095, 2_048), (16_383, 8_192)])
def test_ten_to_fourteen_bits_in_sixteen_are_not_black(white, half):
    assert greys(deep([0, half, white], np.uint16, "PNG")) == [0, 128, 255]


def test_a_jpeg_without_the_mark_of_its_end_is_shown_with_a_note(caplog):
    rng = np.random.default_rng(0)
    file = BytesIO()
    Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(file, "JPEG")
    whole = open_picture(file.getvalue())
    for cut in (1, 2):
        assert open_picture(file.getvalue()[:-cut]).tobytes() == whole.tobytes()
    assert "lacks its end" in caplog.text
    for cut in (4, 20, 200):
        with pytest.raises(PictureError, match="cut short or damaged"):
            open_picture(file.getvalue()[:-cut])


def test_an_animation_with_a_palette_and_flat_frames_keeps_its_colour():
    frame = Image.new("P", (8, 8), 1)
    frame.putpalette([0, 0, 0, 200, 10, 20])
    file = BytesIO()
    frame.save(file, "PNG", save_all=True, append_images=[frame.copy()], duration=[9, 9])
    assert open_picture(file.getvalue()).getpixel((0, 0)) == (200, 10, 20)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 100, 255], [0, 100, 255]),  # fits 8 bits
        ([0, 25_700, 65_535], [0, 100, 255]),  # fits 16 bits: / 257
        ([0, 100_000, 200_000], [0, 128, 255]),  # fits neither: the brightest is white
        ([-255, 0, 255], [0, 128, 255]),  # the darkest is black
    ],
)
def test_whole_numbers_of_32_bits_are_scaled_not_clipped(values, expected):
    assert greys(deep(values, np.int32)) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 0.2, 0.6], [0, 51, 153]),  # fits 0–1: × 255
        ([0, 1, 2], [0, 128, 255]),  # does not: the brightest is white
        ([-1, 0, 1], [0, 128, 255]),
        ([np.nan, np.inf, 1], [0, 0, 255]),
        ([np.nan, np.nan, 0], [0, 0, 0]),
    ],
)
def test_float_tiff_is_scaled_not_clipped(values, expected):
    assert greys(deep(values, np.float32)) == expected


# --- the right way up, the first frame


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied_once(format):
    picture = Image.new("RGB", (32, 16), BLUE)
    picture.paste(RED, (0, 0, 16, 16))  # red on the left
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # to be turned clockwise by a quarter: the left side comes on top
    turned = open_picture(encoded(picture, format, exif=exif))
    assert turned.size == (16, 32)
    np.testing.assert_allclose(turned.getpixel((8, 4)), RED, atol=8)
    assert open_picture(turned).size == (16, 32), "a second pass must not turn it again"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_agrees_with_pillow(orientation):
    picture = noise(8).crop((0, 0, 8, 5))
    picture.getexif()[ORIENTATION] = orientation
    assert open_picture(picture).tobytes() == ImageOps.exif_transpose(picture).tobytes()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_unreadable_exif_turns_nothing():
    jpeg = encoded(Image.new("RGB", (8, 4)), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff junk")
    assert open_picture(jpeg).size == (8, 4)


def test_exif_that_cannot_be_written_back_still_turns():
    exif = Image.Exif()
    exif[ORIENTATION], exif[0x010F] = 6, "cam"
    damaged = exif.tobytes().replace(b"\x01\x0f\0\x02", b"\x01\x24\0\x02")  # text for a number
    jpeg = encoded(Image.new("RGB", (8, 4)), "JPEG", exif=damaged)
    assert open_picture(jpeg).size == (4, 8)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_an_animation_shows_its_first_frame(format):
    frames = [Image.new("RGB", (16, 16), colour) for colour in (GREEN, RED, BLUE)]
    options = {"lossless": True} if format == "WEBP" else {}
    moving = encoded(frames[0], format, save_all=True, append_images=frames[1:], **options)
    assert Image.open(BytesIO(moving)).n_frames == 3
    assert open_picture(moving).getpixel((8, 8)) == GREEN


def test_a_jpeg_with_a_preview_inside_is_a_jpeg():
    two = encoded(noise(), "MPO", save_all=True, append_images=[noise(8)])
    assert open_picture(two).size == (64, 64)


# --- what is refused, and with which words


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_a_file_cut_short_is_refused_by_name(tmp_path, format, kept):
    whole = encoded(noise(), format)
    path = tmp_path / "half.bin"
    path.write_bytes(whole[: int(kept * len(whole))])
    sentence = refusal(path)
    assert sentence.startswith("half.bin cannot be read: it is cut short or damaged")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>404 Not Found", "web page"),
        (b"\n <HTML><head>", "web page"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg/>', "SVG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (b"%PDF-1.7", "PDF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"\0" * 128 + b"DICM\2\0", "a format that is not read"),
        (b"\0\0\1\0\1\0\x10\x10", "a format that is not read"),
        (b"P6 8 8 255\n", "a format that is not read"),
        (b"SIMPLE  =                    T", "a format that is not read"),
        (b"\0" * 200, "broken copy"),
        (b"\n", "none of JPEG, PNG"),
        (b"just some words", "none of JPEG, PNG"),
        (b"\xff\xd8\xff\xe0 and no more", "cut short or damaged"),
    ],
)
def test_what_is_no_picture_is_recognised(tmp_path, content, words):
    path = tmp_path / "cat.jpg"
    path.write_bytes(content)
    assert words in refusal(path)
    assert refusal(path).startswith("cat.jpg cannot be read")


@pytest.mark.parametrize("format", ["EPS", "PPM", "ICO", "TGA", "JPEG2000"])
def test_formats_off_the_list_are_refused_though_pillow_reads_them(format):
    assert "cannot be read" in refusal(encoded(Image.new("RGB", (16, 16)), format))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [9_500, 30_000, 2**31 - 1])
def test_a_decompression_bomb_is_refused_unopened(side):
    assert side * side > MAX_PIXELS
    assert "more than 89 million pixels" in refusal(png_that_claims(side, side))


def test_a_pil_picture_of_too_many_pixels_is_refused():
    assert "more than 89 million pixels" in refusal(Image.new("1", (10_000, 10_000)))


def test_a_picture_without_pixels_is_refused():
    assert "has no pixels (0 × 3)" in refusal(Image.new("RGB", (0, 3)))


def test_a_missing_file_is_named_as_it_was_given(tmp_path):
    path = tmp_path / "gone" / "cat.jpg"
    assert refusal(path) == f"There is no file {path}; check its name and folder."


def test_a_folder_is_no_picture(tmp_path):
    assert "is a folder" in refusal(tmp_path)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    assert "is not an ordinary file" in refusal(tmp_path / "pipe.jpg")


@pytest.mark.parametrize("name", ["a\0b.jpg", "a" * 300 + ".jpg", "cat.jpg/dog.jpg"])
def test_an_impossible_path_gets_a_sentence(tmp_path, name):
    (tmp_path / "cat.jpg").touch()
    assert "cannot be opened" in refusal(f"{tmp_path}/{name}")


@pytest.mark.parametrize("source", [None, 7, StringIO("text"), ["a.jpg"]])
def test_other_kinds_of_source_are_a_type_error(source):
    with pytest.raises(TypeError, match="a picture is a path, bytes"):
        open_picture(source)


# --- what is accepted


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1)])
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_extreme_sizes_keep_their_size(size, format):
    assert open_picture(encoded(Image.new("RGB", size), format), max_side=224).size == size


def test_the_name_does_not_decide_the_format(tmp_path):
    (tmp_path / "really-a-jpeg.png").write_bytes(encoded(noise(), "JPEG"))
    assert open_picture(tmp_path / "really-a-jpeg.png").size == (64, 64)


def test_a_bad_colour_profile_and_trailing_bytes_do_no_harm():
    content = encoded(Image.new("RGB", (4, 4), RED), "PNG", icc_profile=b"nonsense") + b"more"
    assert open_picture(content).getpixel((0, 0)) == RED


def test_every_kind_of_source_gives_the_same_picture(tmp_path):
    path = tmp_path / "cat.png"
    path.write_bytes(content := encoded(noise(), "PNG"))
    sources = [path, str(path), content, bytearray(content), BytesIO(content), noise()]
    found = [open_picture(source).tobytes() for source in sources]
    assert found == [noise().tobytes()] * len(sources)


def test_a_file_already_read_is_read_again_and_left_open():
    file = BytesIO(encoded(noise(), "PNG"))
    file.read()
    assert open_picture(file).size == (64, 64)
    assert open_picture(file).size == (64, 64) and not file.closed


class OneWay(BytesIO):
    """A stream such as a download, which cannot go back."""

    def seekable(self):
        return False

    def seek(self, *_):
        raise UnsupportedOperation("seek")


def test_a_stream_that_cannot_go_back_is_read_or_refused_like_a_file():
    assert open_picture(OneWay(encoded(noise(), "PNG"))).size == (64, 64)
    assert "web page" in refusal(OneWay(b"<html>"))


def test_a_pil_picture_is_left_as_it_was():
    given = Image.new("RGB", (2, 1), RED)
    given.info["comment"] = "mine"
    open_picture(given).putpixel((0, 0), BLUE)
    assert given.getpixel((0, 0)) == RED and given.info == {"comment": "mine"}


def test_nothing_of_the_metadata_remains():
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    picture = open_picture(encoded(noise(), "JPEG", exif=exif, comment=b"at home"))
    assert picture.info == {} and not picture.getexif()


# --- draft decoding


@pytest.mark.parametrize(
    ("max_side", "expected"),
    [
        (None, (1600, 800)),
        (50, (200, 100)),  # 1/8: the shorter side is just 2 × 50
        (51, (400, 200)),  # 1/8 would leave 100 < 102, so 1/4
        (200, (800, 400)),
        (201, (1600, 800)),
    ],
)
def test_a_draft_is_never_below_twice_the_side_asked_for(max_side, expected):
    jpeg = encoded(Image.new("RGB", (1600, 800)), "JPEG")
    assert open_picture(jpeg, max_side=max_side).size == expected


def test_a_draft_looks_like_the_picture_itself():
    ramp = Image.linear_gradient("L").resize((1024, 1024)).convert("RGB")
    jpeg = encoded(ramp, "JPEG", quality=95)
    full, draft = (open_picture(jpeg, max_side=side).resize((64, 64)) for side in (None, 64))
    np.testing.assert_allclose(np.asarray(draft, float), np.asarray(full, float), atol=4)


@pytest.mark.parametrize("max_side", [0, -1])
def test_a_side_below_one_is_refused(max_side):
    with pytest.raises(ValueError, match="give a number of pixels"):
        open_picture(noise(), max_side=max_side)
