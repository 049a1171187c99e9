import os
import struct
from io import BytesIO
from time import perf_counter

import pytest
from PIL import Image, PngImagePlugin

from sigscope.images.captions import embedded_captions

DESCRIPTION, TITLE, COMMENT, ARTIST = 0x010E, 0x9C9B, 0x9C9C, 0x013B
EXIF, GPS, USER_COMMENT = 0x8769, 0x8825, 0x9286


def exif(description=b"", **others):
    """Return an EXIF block; Pillow writes descriptions in ASCII only, so bytes are put in after."""
    block = Image.Exif()
    if description:
        block[DESCRIPTION] = "x" * len(description)
    for tag, value in others.items():
        block[globals()[tag]] = value
    return block.tobytes().replace(b"x" * len(description), description) if description else block


def picture(path, format="JPEG", **options):
    Image.new("RGB", (8, 8), "red").save(path, format, **options)
    return path


def xmp(**texts):
    """Return an XMP packet; a text may be one language's, or a dict of languages."""
    body = ""
    for name, text in texts.items():
        spoken = text if isinstance(text, dict) else {"x-default": text}
        items = "".join(f'<rdf:li xml:lang="{k}">{v}</rdf:li>' for k, v in spoken.items())
        body += f"<dc:{name}><rdf:Alt>{items}</rdf:Alt></dc:{name}>"
    return packet(f'<rdf:Description rdf:about="">{body}</rdf:Description>')


def packet(body):
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/">{body}</rdf:RDF></x:xmpmeta>'
        '<?xpacket end="w"?>'
    ).encode()


def with_iptc(path, **texts):
    """Put a Photoshop block with IPTC texts behind the first two bytes of a JPEG."""
    numbers = {"title": 5, "caption": 120}
    data = b"".join(
        struct.pack(">BBBH", 0x1C, 2, numbers[name], len(text)) + text
        for name, text in texts.items()
    )
    block = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(data)) + data
    content = path.read_bytes()
    segment = b"\xff\xed" + struct.pack(">H", len(block) + 2) + block
    path.write_bytes(content[:2] + segment + content[2:])
    return path


def test_a_picture_without_texts_has_no_captions(tmp_path):
    assert embedded_captions(picture(tmp_path / "a.jpg")) == []


@pytest.mark.parametrize("written", ["a café".encode(), "a café".encode("latin-1")])
def test_an_exif_description_is_read_in_utf8_or_latin(tmp_path, written):
    assert embedded_captions(picture(tmp_path / "a.jpg", exif=exif(written))) == ["a café"]


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_exif_is_read_in_every_format(tmp_path, format):
    path = tmp_path / f"a.{format.lower()}"
    assert embedded_captions(picture(path, format, exif=exif(b"a cat"))) == ["a cat"]


def test_windows_titles_and_comments_are_read(tmp_path):
    block = exif(TITLE="Kätzchen\0".encode("utf-16-le"), COMMENT="schläft\0".encode("utf-16-le"))
    assert embedded_captions(picture(tmp_path / "a.jpg", exif=block)) == ["Kätzchen", "schläft"]


@pytest.mark.parametrize(
    "value",
    [
        b"ASCII\0\0\0a cat   ",
        b"UNICODE\0" + "a cat".encode("utf-16-le"),
        b"UNICODE\0" + "a cat".encode("utf-16-be"),
        bytes(8) + b"a cat\0\0\0",
        b"JIS\0\0\0\0\0a cat",
        b"a cat",
    ],
)
def test_a_user_comment_is_read_in_its_encoding(tmp_path, value):
    block = Image.Exif()
    block.get_ifd(EXIF)[USER_COMMENT] = value
    assert embedded_captions(picture(tmp_path / "a.jpg", exif=block)) == ["a cat"]


@pytest.mark.parametrize("text", ["a cat", "猫が寝ている", "кошка спит", "dog"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_user_comment_in_utf16_follows_the_byte_order_of_its_block(tmp_path, order, text):
    written = text.encode("utf-16-le" if order == "<" else "utf-16-be")
    block = Image.Exif()
    block.endian = order
    block._info = None
    block.get_ifd(EXIF)[USER_COMMENT] = b"UNICODE\0" + written
    assert embedded_captions(picture(tmp_path / "a.jpg", exif=block)) == [text]


def test_a_user_comment_in_utf8_is_read_though_it_says_utf16(tmp_path):
    block = Image.Exif()
    block.get_ifd(EXIF)[USER_COMMENT] = b"UNICODE\0" + "türkis".encode()
    assert embedded_captions(picture(tmp_path / "a.jpg", exif=block)) == ["türkis"]


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_xmp_titles_and_descriptions_are_read(tmp_path, format):
    path = picture(
        tmp_path / f"a.{format.lower()}",
        "JPEG" if format == "TIFF" else format,
        **(
            {"pnginfo": png_text("XML:com.adobe.xmp", xmp(title="ein Titel").decode(), itxt=True)}
            if format == "PNG"
            else {"xmp": xmp(title="ein Titel")}
        ),
    )
    assert embedded_captions(path) == ["ein Titel"]


def png_text(key, text, itxt=False):
    info = PngImagePlugin.PngInfo()
    (info.add_itxt if itxt else info.add_text)(key, text)
    return info


def test_of_several_languages_the_default_is_taken(tmp_path):
    texts = {"de": "Katze", "x-default": "cat", "fr": "chat"}
    assert embedded_captions(picture(tmp_path / "a.jpg", xmp=xmp(title=texts))) == ["cat"]
    assert embedded_captions(
        picture(tmp_path / "b.jpg", xmp=xmp(title={"de": "Katze", "fr": "chat"}))
    ) == ["Katze"]


def test_xmp_in_its_short_form_is_read(tmp_path):
    short = packet('<rdf:Description rdf:about="" dc:description="a short cat"/>')
    assert embedded_captions(picture(tmp_path / "a.jpg", xmp=short)) == ["a short cat"]


def test_iptc_is_read(tmp_path):
    path = with_iptc(picture(tmp_path / "a.jpg"), title=b"Stadt", caption="Köln am Rhein".encode())
    assert embedded_captions(path) == ["Köln am Rhein", "Stadt"]


@pytest.mark.parametrize("itxt", [False, True])
@pytest.mark.parametrize("key", ["Title", "Description"])
def test_png_texts_are_read(tmp_path, key, itxt):
    path = picture(tmp_path / "a.png", "PNG", pnginfo=png_text(key, "a plan", itxt))
    assert embedded_captions(path) == ["a plan"]


def test_descriptions_come_before_titles_and_comments_and_none_twice(tmp_path):
    third, second = "third\0".encode("utf-16-le"), "second".encode("utf-16-le")
    block = exif(b"first", TITLE=third, COMMENT=second)
    path = picture(tmp_path / "a.jpg", exif=block, xmp=xmp(description="second", title="first"))
    assert embedded_captions(path) == ["first", "second", "third"]


def test_a_caption_is_one_line(tmp_path):
    assert embedded_captions(picture(tmp_path / "a.jpg", exif=exif(b" two\r\n lines "))) == [
        "two lines"
    ]


@pytest.mark.parametrize(
    "text",
    [
        *("OLYMPUS DIGITAL CAMERA         ", "SONY DSC", "SAMSUNG CAMERA PICTURES"),
        *("Exif_JPEG_PICTURE", "MINOLTA DIGITAL CAMERA", "<KENOX S860  / Samsung S860>"),
        *("DCIM", "IMG_1234", "DSC00012.JPG", "my holiday.jpg", "20190304_121212", "...", "   "),
        *(
            "Processed with VSCO with a6 preset",
            "Created with GIMP",
            "LEAD Technologies Inc. V1.01",
        ),
        *('{"mirror":false}', "filter: 0; jpegRotation: 90", "hdrp", "oppo_32", "binary comment"),
        *("KODAK Digital Still Camera", "EPSON DSC picture", "DCF 1.0", "null", "_cuva", "smart"),
        *("hdr", "My beautiful picture", "HELLOMOTO", r"DCIM\\100MEDIA\\DJI_0001.JPG", "Picasa 3"),
        *("Software: Microsoft Office", "MOULTRIE DIGITAL GAME CAMERA", "Screenshot_20240101"),
        *("SAMSUNG CSC", "Edited with Adobe Photoshop Lightroom 5", "0123456789abcdef" * 2),
        *("b2xkIGZpbG0gYW5kIG5ldyBmaWxt1=", "2019:03:04 12:00:00", "Canon_5D"),
        *("DCIM\\100GOPRO", "0x4fa3c9d2e1b0aa77", "AppleMark", "(c) Jane", "charset=Ascii"),
        *("ImageJ=1.53t\nimages=3", "<?xml version='1.0'?><OME/>", "x" * 5_001),
    ],
)
def test_what_no_person_wrote_is_no_caption(tmp_path, text):
    assert (
        embedded_captions(picture(tmp_path / "a.png", "PNG", pnginfo=png_text("Description", text)))
        == []
    )


@pytest.mark.parametrize(
    "text",
    [
        *("a cat", "cat", "猫", "Дом", "Me with my digital camera in Rome", "Photo of a dog"),
        *(
            "Sunset, 7 pm",
            "St. Mary's 2",
            "default risk by country",
            "NA",
            "Made in Japan",
            "Made with love",
        ),
        *("Taken by the lake", "Filter: coffee on the table", "<3 my cat", "[dog]", "{smile}"),
        *("Creator: my son", "1984", "747", "P1", "Photo 51", "Image 3", "Hdr", "IMG", "Video"),
        *("edited by Anna: two dogs", "written on the wall", "Donaudampfschifffahrtsgesellschaft"),
        *("a sharp picture", "Apple pictures", "Paint", "猫" * 40, "smart dogs", "100 = a hundred"),
    ],
)
def test_what_a_person_may_have_written_is_kept(tmp_path, text):
    path = picture(tmp_path / "a.png", "PNG", pnginfo=png_text("Description", text, itxt=True))
    assert embedded_captions(path) == [text]


def test_the_name_of_the_file_is_no_caption(tmp_path):
    for name in ("summer trip.jpg", "Sommer.jpg"):
        path = picture(tmp_path / name, exif=exif(name[:-4].upper().encode()))
        assert embedded_captions(path) == []


def test_nothing_private_is_read(tmp_path):
    block = Image.Exif()
    block[ARTIST] = "Erika Mustermann"
    block.get_ifd(GPS).update({1: "N", 2: (50.0, 56.0, 28.0), 29: "2020:01:02"})
    path = picture(tmp_path / "a.jpg", exif=block, xmp=xmp(creator="Erika", subject="home"))
    assert embedded_captions(path) == []


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n" + bytes(50),
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"II*\0\xff\xff\xff\xff",
    ],
)
def test_a_damaged_file_has_no_captions(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    assert embedded_captions(tmp_path / "a.jpg") == []


def test_a_damaged_part_hides_no_other(tmp_path):
    path = picture(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\xff", xmp=b"<dc:title", comment=b"\0")
    assert embedded_captions(with_iptc(path, caption=b"still here")) == ["still here"]


def test_entities_in_xmp_are_not_followed(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    for entity in (f'SYSTEM "file://{secret}"', '"secret"'):
        evil = f"<!DOCTYPE x [<!ENTITY e {entity}>]>".encode() + xmp(title="&e;").split(b"?>", 1)[1]
        assert embedded_captions(picture(tmp_path / "a.jpg", xmp=evil)) == []


def test_what_cannot_be_opened_has_no_captions_and_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    picture(tmp_path / "a.jxl", exif=exif(b"a cat"))
    for name in ("pipe.jpg", "gone.jpg", "a.jxl", "."):
        assert embedded_captions(tmp_path / name) == []


def test_the_pixels_are_not_decoded(tmp_path):
    content = BytesIO()
    Image.effect_noise((2000, 2000), 90).save(content, "JPEG", exif=exif(b"a cat"))
    (tmp_path / "a.jpg").write_bytes(content.getvalue()[:2000])
    assert embedded_captions(tmp_path / "a.jpg") == ["a cat"], "the header is enough"
    start = perf_counter()
    for _ in range(20):
        embedded_captions(tmp_path / "a.jpg")
    assert (perf_counter() - start) / 20 < 0.01
