"""A laboratory for cross-modal image retrieval; the names that most programs need.

They are imported when they are first used, so that `import sigscope` costs next to nothing.
"""

from importlib import import_module

_FACE = {
    "claim": "claims",
    "load_gallery": "datasets",
    "Gallery": "gallery",
    "Encoder": "models",
    "open_embeddings": "embeddings",
    "Embeddings": "embeddings",
    "Searcher": "search",
    "Part": "search",
    "VectorIndex": "indexes",
    "INDEXES": "indexes",
    "evaluate": "evaluation",
    "fine_tune": "tuning",
    "show": "figures",
}
__all__ = sorted(_FACE)


def __getattr__(name: str) -> object:
    """Return a public name from the package that defines it."""
    if name not in _FACE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_FACE[name]}"), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__
