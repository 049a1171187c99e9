"""Options that several commands have; they hold for the processes that are started as well."""

import os
from typing import Annotated, Any

import typer


def _set_by(variable: str, metavar: str, help: str) -> Any:
    """Return an option that a variable of the environment sets, and that sets the variable."""

    def remember(value: str) -> str:
        if value:
            os.environ[variable] = value
        return value

    return typer.Option(metavar=metavar, envvar=variable, callback=remember, help=help)


Pictures = Annotated[
    str,
    _set_by(
        "SIGSCOPE_GALLERY",
        "WHERE",
        "A folder, a zip, a table, or name:/path for a data set, as in coco:~/coco. Nothing "
        "in it is changed. Left out: the shipped gallery.",
    ),
]
Model = Annotated[
    str,
    _set_by(
        "SIGSCOPE_MODEL",
        "NAME",
        "A SigLIP, CLIP, MetaCLIP 2, ...: a folder, or its name on the hub. Left out: the "
        "shipped siglit-mini.",
    ),
]
Store = Annotated[
    str,
    _set_by(
        "SIGSCOPE_STORE",
        "URL",
        "A vector database that searches: milvus://FILE.db, or milvus://HOST:19530/COLLECTION "
        "of a server (extra milvus). It is given what it lacks of the pictures' vectors.",
    ),
]
Engine = Annotated[
    str,
    _set_by(
        "SIGSCOPE_ENGINE",
        "NAME",
        "What makes the vectors: local, which is this process, or ray, which is many at once "
        "(extra scale), one a GPU. The vectors are the same.",
    ),
]
Address = Annotated[
    str,
    _set_by(
        "SIGSCOPE_ENGINE_ADDRESS",
        "WHERE",
        "Of a Ray cluster: auto, or HOST:PORT. Its machines must have the pictures and the "
        "cache under the same paths. Left out: this machine.",
    ),
]
Port = Annotated[str, typer.Option(help="Where to serve.")]
Results = Annotated[int, typer.Option("-k", min=1, help="How many.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
