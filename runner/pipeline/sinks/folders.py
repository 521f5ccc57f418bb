"""Folders in which ``sink=file`` writes: on this machine, or wherever fsspec reaches."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from runner.errors import SinkError, first_line
from runner.pipeline.receipts import Payload
from runner.pipeline.retry import MayPass, retried

# The end of the name of a file that is not finished.
UNFINISHED = ".part"

# How many files are read from a remote folder at the same time.
_AT_ONCE = 16

# Errors that another attempt does not mend.
_LASTING = (FileNotFoundError, PermissionError, NotImplementedError, TypeError, ValueError)


class OutputFolder(Protocol):
    """A folder; names in it are relative and may have a folder before them, as in ``epoch-000/000000007.npy``.

    Its methods raise ``SinkError`` where something cannot be done.
    """

    def write(self, name: str, content: Payload) -> int:
        """Make a file, all of it or nothing; returns how many attempts failed before."""

    def scratch(self, name: str) -> str:
        """The path of a local file in which what is to become ``name`` can be gathered."""

    def publish(self, scratch: str, name: str) -> int:
        """Make the gathered file ``name``, in one step; as ``write``."""

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Every file, with its name."""

    def clear(self) -> None:
        """Remove the folder with all that is in it."""

    def tidy(self) -> None:
        """Remove what was not finished."""


class LocalFolder:
    """A folder of this machine; what is not finished has a name of its own."""

    def __init__(self, root: str) -> None:
        self._root = Path(root)

    def write(self, name: str, content: Payload) -> int:
        scratch = self.scratch(name)
        try:
            with open(scratch, "wb") as file:  # noqa: PTH123  (called for every image: the shortest way)
                file.write(content)
            os.replace(scratch, self._root / name)  # noqa: PTH105
        except OSError as error:
            self._drop(scratch)
            raise _cannot("write", self._root / name, error) from error
        return 0

    def scratch(self, name: str) -> str:
        folder, _, last = name.rpartition("/")
        try:
            os.makedirs(self._root / folder, exist_ok=True)  # noqa: PTH103
        except OSError as error:
            raise _cannot("make the folder", self._root / folder, error) from error
        return str(self._root / folder / f".{last}.{os.getpid()}-{threading.get_ident()}{UNFINISHED}")

    def publish(self, scratch: str, name: str) -> int:
        try:
            os.replace(scratch, self._root / name)  # noqa: PTH105
        except OSError as error:
            self._drop(scratch)
            raise _cannot("write", self._root / name, error) from error
        return 0

    def contents(self) -> Iterator[tuple[str, bytes]]:
        for path in sorted(self._root.rglob("*")):
            if path.is_file() and not path.name.endswith(UNFINISHED):
                try:
                    yield path.relative_to(self._root).as_posix(), path.read_bytes()
                except OSError as error:
                    raise _cannot("read", path, error) from error

    def clear(self) -> None:
        try:
            shutil.rmtree(self._root)
        except FileNotFoundError:
            return
        except OSError as error:
            raise _cannot("empty", self._root, error) from error

    def tidy(self) -> None:
        for path in self._root.rglob(f".*{UNFINISHED}"):
            self._drop(str(path))

    @staticmethod
    def _drop(path: str) -> None:
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108


class RemoteFolder:
    """A folder behind an fsspec URL. An object comes to be in one step there: there are no unfinished ones.

    Args:
        url: of the folder.
        timeout_s: for one attempt, where the file system's driver is asynchronous, as those of S3, GCS and Azure are.
        retries: further attempts at what may pass.
    """

    def __init__(self, url: str, timeout_s: float, retries: int) -> None:
        from fsspec.core import url_to_fs

        self._scheme = url.partition("://")[0]
        self._fs, self._root = url_to_fs(url)
        self._timeout_s = timeout_s
        self._retries = retries

    def write(self, name: str, content: Payload) -> int:
        return self._tried("write", name, lambda: self._call("pipe_file", self._path(name), bytes(content)))[1]

    def scratch(self, name: str) -> str:
        import tempfile

        handle, path = tempfile.mkstemp(prefix="sink-", suffix=f"-{name.rpartition('/')[2]}")
        os.close(handle)
        return path

    def publish(self, scratch: str, name: str) -> int:
        try:
            return self._tried("write", name, lambda: self._call("put_file", scratch, self._path(name)))[1]
        finally:
            Path(scratch).unlink(missing_ok=True)

    def contents(self) -> Iterator[tuple[str, bytes]]:
        self._fs.invalidate_cache()
        paths = sorted(self._tried("list", "", lambda: self._call("find", self._root))[0])
        root = self._root.strip("/")
        with ThreadPoolExecutor(_AT_ONCE) as readers:
            for start in range(0, len(paths), 4 * _AT_ONCE):  # not all at once: they are held in memory
                batch = paths[start : start + 4 * _AT_ONCE]
                names = [path.strip("/").removeprefix(root).lstrip("/") for path in batch]
                yield from zip(names, readers.map(self._read, batch), strict=True)

    def clear(self) -> None:
        self._fs.invalidate_cache()
        there, _ = self._tried("list", "", lambda: self._call("find", self._root))
        if there:
            self._tried("remove", "", lambda: self._fs.rm(self._root, recursive=True))

    def tidy(self) -> None:
        """Nothing is unfinished."""

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _read(self, path: str) -> bytes:
        content: bytes = self._tried("read", path.rpartition("/")[2], lambda: self._call("cat_file", path))[0]
        return content

    def _call(self, verb: str, *arguments: Any) -> Any:
        from fsspec.asyn import AsyncFileSystem, sync

        if isinstance(self._fs, AsyncFileSystem):
            return sync(self._fs.loop, getattr(self._fs, f"_{verb}"), *arguments, timeout=self._timeout_s)
        return getattr(self._fs, verb)(*arguments)

    def _tried(self, verb: str, name: str, call: Callable[[], Any]) -> tuple[Any, int]:
        where = f"{self._scheme}://{self._root.lstrip('/')}" + (f"/{name}" if name else "")

        def attempt() -> Any:
            try:
                return call()
            except TimeoutError as error:
                raise MayPass(f"cannot {verb} {where}: no answer within {self._timeout_s:g} s") from error
            except _LASTING as error:
                raise SinkError(f"cannot {verb} {where}: {first_line(error)}") from error
            except Exception as error:  # drivers raise what their libraries raise
                raise MayPass(f"cannot {verb} {where}: {first_line(error)}") from error

        return retried(attempt, self._retries)


def output_folder(url: str, timeout_s: float, retries: int) -> OutputFolder:
    """The folder that ``url`` names: a path or ``file://`` on this machine, anything else through fsspec."""
    path = local_path(url)
    return LocalFolder(path) if path is not None else RemoteFolder(url, timeout_s, retries)


def local_path(url: str) -> str | None:
    """The path that ``url`` means on this machine; None where it means none."""
    scheme, separator, rest = url.partition("://")
    if separator and scheme not in {"file", "local"}:
        return None
    return str(Path(os.path.expanduser(rest if separator else url)).absolute())  # noqa: PTH111  (pathlib's raises where there is no home)


def _cannot(verb: str, path: Path, error: OSError) -> SinkError:
    return SinkError(f"cannot {verb} {path}: {error.strerror or type(error).__name__}")
