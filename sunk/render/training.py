"""The file that describes a model to be trained: `sunk.model.training.Transformer` as YAML."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter

from sunk.model.training import Transformer
from sunk.render.strict_file import Kind, load_text

MODEL = Kind(name="Model", hint="the page on layouts has an example of every key")
_ADAPTER = TypeAdapter(Transformer)


def load_model(path: Path) -> Transformer:
    """Return the model that a file describes.

    Raises:
        InputError: the file cannot be read, or a key is wrong.
    """
    return read_model(load_text(path), source=str(path))


def read_model(text: str, *, source: str) -> Transformer:
    """Return the model that a text describes; what the numbers must keep is for the planner.

    Args:
        text: one document, YAML or JSON.
        source: name of the file, for messages.

    Raises:
        InputError: a key is wrong; names it and what may stand there.
    """
    return MODEL.read(text, _ADAPTER, source)[1]
