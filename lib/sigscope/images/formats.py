"""Formats: the one list of kinds of pictures that are read, and of those that are refused, and why.

HEIC and the previews of raw files are read where an extra is installed (`heif`, `raw`).
"""

from importlib import import_module

from sigscope.images.raw import rawpy, read_raw_files
from sigscope.images.sniff import (
    CUT,
    EPS,
    HEIC,
    HEIC_HEADS,
    NO_PREVIEW,
    OTHER,
    RAW,
    RAW_HEADS,
    SVG,
    now_read,
)

try:
    import pillow_heif
except ImportError:  # the extra is not installed
    pillow_heif = None

HEIF_SUFFIXES = (".heic", ".heif", ".hif", ".heics", ".heifs")
RAW_SUFFIXES = (
    *(".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".orf", ".raf"),
    *(".rw2", ".pef", ".srw", ".x3f", ".3fr", ".iiq", ".erf", ".kdc", ".mrw"),
    *(".dcr", ".gpr", ".mef", ".rwl", ".mos", ".fff", ".k25", ".dcs", ".bay", ".cap", ".eip"),
    *(".ari", ".ori", ".raw"),
)
FORMATS = {  # what we read, and how its files are called; never EPS, which runs Ghostscript
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".pjpeg", ".pjp", ".mpo", ".insp"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif", ".avifs"),
}
for _kind in ("Avif", "Bmp", "Gif", "Mpo", "Png", "Tiff", "WebP"):  # now: Pillow forgets for good
    import_module(f"PIL.{_kind}ImagePlugin")  # a decoder that could not be opened once
if pillow_heif:
    pillow_heif.register_heif_opener()
    FORMATS["HEIF"] = HEIF_SUFFIXES
    now_read(HEIC_HEADS, "HEIF", f"it is an HEIC photograph, but {CUT.removeprefix('it is ')}")
if rawpy:
    read_raw_files()
    tiff = FORMATS.pop("TIFF")
    FORMATS |= {"RAW": RAW_SUFFIXES, "TIFF": tiff}  # which a raw file seems to be
    now_read(RAW_HEADS, "", NO_PREVIEW)
SUFFIXES = frozenset(suffix for suffixes in FORMATS.values() for suffix in suffixes)

REFUSED = {  # pictures too, but not ones we read, and what to save them as
    SVG: (".svg", ".svgz"),
    EPS: (".eps", ".ps", ".ai"),
    HEIC: () if pillow_heif else HEIF_SUFFIXES,
    RAW: () if rawpy else RAW_SUFFIXES,
    OTHER: (
        *(".jxl", ".jp2", ".j2k", ".jpx", ".jpf", ".jxr", ".wdp", ".psd", ".psb", ".xcf", ".ico"),
        *(".icns", ".tga", ".ppm", ".pgm", ".pbm", ".pnm", ".pcx", ".dds", ".exr", ".hdr", ".qoi"),
        *(".dcm", ".cur", ".sgi", ".xbm", ".pam", ".j2c", ".jpc", ".dcx", ".icb", ".vda", ".vst"),
        *(".ras", ".rgb", ".rgba", ".bw", ".xpm", ".blp", ".wmf", ".emf", ".fits", ".fit", ".cin"),
        *(".pcd", ".ftc", ".ftu", ".gbr", ".im", ".msp", ".pfm", ".pxr"),
    ),
}
REFUSED_SUFFIXES = {suffix: what for what, suffixes in REFUSED.items() for suffix in suffixes}
