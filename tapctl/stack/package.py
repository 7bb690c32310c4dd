"""The handler as a zip with the same bytes on every machine, so that its hash identifies what is deployed."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tapctl.errors import ConfigError, Problem

MAX_BYTES = 50 * 1024 * 1024
"""Lambda's limit for one upload: 50 MB zipped (Lambda quotas, deployment package)."""

_HANDLER = Path("handlers") / "payment_processor"
_ENTRY_POINTS = ("index.mjs", "index.js", "index.cjs")
_LEFT_OUT = frozenset({"test", "tests", "node_modules", "Dockerfile"})
# The earliest time a zip can hold: the time of packaging must not show in the bytes.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_READABLE_BY_ALL = 0o100644 << 16


@dataclass(frozen=True)
class Package:
    """A deployment package, equal to another of the same bytes."""

    name: str
    """The handler's name and the first 12 hex digits of its own hash."""
    sha256_base64: str
    """The hash in the form of Lambda's ``CodeSha256``."""
    content: bytes = field(repr=False)


def handler_of(environments: Path) -> Path:
    """The folder of the payment processor's code: ``handlers/`` is beside the folder of the environment files."""
    return Path(os.path.normpath(environments.absolute())).parent / _HANDLER


def build(directory: Path) -> Package:
    """Package the handler in ``directory``, without tests, Dockerfile, dot-files and ``node_modules``.

    Raises:
        ConfigError: the folder is missing, unreadable, too large, without entry point, or holds more than plain files.
    """
    try:
        if not directory.is_dir():
            raise _problem(directory, "is no folder; handlers/ has to stand beside the folder of the environment files")
        files = {path.relative_to(directory).as_posix(): path for path in _files(directory)}
        if sum(path.stat().st_size for path in files.values()) > MAX_BYTES:
            raise _problem(directory, "is larger than the 50 MB that Lambda takes in one upload; deploy it as an image")
        content = _zip({name: path.read_bytes() for name, path in files.items()})
    except OSError as error:
        raise _problem(directory, f"cannot be read: {error.strerror}") from error
    if not any(name in files for name in _ENTRY_POINTS):
        raise _problem(directory, f"holds no entry point: one of {', '.join(_ENTRY_POINTS)}")
    digest = hashlib.sha256(content)
    name = f"{directory.name}-{digest.hexdigest()[:12]}.zip"
    return Package(name, base64.b64encode(digest.digest()).decode(), content)


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name in _LEFT_OUT or path.name.startswith("."):
            continue
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            # A link would carry in files from outside, different on every machine.
            raise _problem(path, "is neither a file nor a folder; only those can be packaged")
        if path.is_dir():
            yield from _files(path)
        else:
            yield path


def _zip(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    # Stored, not deflated: zlib and its replacements compress the same bytes differently.
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = _UNIX
            entry.external_attr = _READABLE_BY_ALL
            archive.writestr(entry, files[name])
    return packed.getvalue()


def _problem(path: Path, rule: str) -> ConfigError:
    return ConfigError([Problem(path.as_posix(), "", "", rule)])
