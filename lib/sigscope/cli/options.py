"""Options that several commands have; they hold for the processes that are started as well."""

import os
from collections.abc import Callable
from typing import Annotated

import typer


def _also_as(variable: str) -> Callable[[str], str]:
    """Return what puts an option's value into the environment, which all that is started has."""

    def remember(value: str) -> str:
        if value:
            os.environ[variable] = value
        return value

    return remember


Pictures = Annotated[
    str,
    typer.Option(
        metavar="WHERE",
        envvar="SIGSCOPE_GALLERY",
        callback=_also_as("SIGSCOPE_GALLERY"),
        help="A folder, a zip, a table, or name:/path for a data set, as in coco:~/coco. Nothing "
        "in it is changed. Left out: the shipped gallery.",
    ),
]
Model = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        envvar="SIGSCOPE_MODEL",
        callback=_also_as("SIGSCOPE_MODEL"),
        help="A SigLIP, CLIP, MetaCLIP 2, ...: a folder, or its name on the hub. Left out: the "
        "shipped siglit-mini.",
    ),
]
Store = Annotated[
    str,
    typer.Option(
        metavar="URL",
        envvar="SIGSCOPE_STORE",
        callback=_also_as("SIGSCOPE_STORE"),
        help="A vector database that searches: milvus://FILE.db, or milvus://HOST:19530/COLLECTION "
        "of a server (extra milvus). It is given what it lacks of the pictures' vectors.",
    ),
]
Engine = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        envvar="SIGSCOPE_ENGINE",
        callback=_also_as("SIGSCOPE_ENGINE"),
        help="What makes the vectors: local, which is this process, or ray, which is many at once "
        "(extra scale), one a GPU. The vectors are the same.",
    ),
]
Address = Annotated[
    str,
    typer.Option(
        metavar="WHERE",
        envvar="SIGSCOPE_ENGINE_ADDRESS",
        callback=_also_as("SIGSCOPE_ENGINE_ADDRESS"),
        help="Of a Ray cluster: auto, or HOST:PORT. Its machines must have the pictures and the "
        "cache under the same paths. Left out: this machine.",
    ),
]
Port = Annotated[str, typer.Option(help="Where to serve.")]
Results = Annotated[int, typer.Option("-k", min=1, help="How many.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
