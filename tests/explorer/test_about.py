"""What the panel says of a picture's file: its size, when it was taken and by what camera."""

from PIL import ExifTags, Image


def test_date_and_camera_are_said_where_the_file_says_them(tmp_path):
    import about

    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Canon", "Canon EOS 5D\0"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2012:07:04 18:30:00"
    Image.new("RGB", (40, 30)).save(tmp_path / "a.jpg", exif=exif)
    Image.new("RGB", (40, 30)).save(tmp_path / "b.jpg")
    told, nothing = (dict(about.of_file(tmp_path / name)) for name in ("a.jpg", "b.jpg"))
    assert told["Taken"] == "4 July 2012, 18:30" and told["Camera"] == "Canon EOS 5D"
    assert told["Size"] == "40 × 30 pixels" and not (nothing["Taken"] or nothing["Camera"])


def test_what_is_no_picture_has_a_size_and_no_more(tmp_path):
    import about

    (tmp_path / "a.jpg").write_bytes(b"no picture")
    assert about.of_file(tmp_path / "a.jpg") == [("File size", "10 bytes")]
