"""The end of a pipe between processes, by the name it has on this system, and messages that several processes take from one pipe."""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":
    from multiprocessing.connection import PipeConnection as Connection

    def take_message(reader: Connection, size_bytes: int) -> bytes:
        """Wait for a message of ``size_bytes`` and take it; no other reader gets a part of it."""
        del size_bytes  # pipes keep messages whole by themselves
        return reader.recv_bytes()

    def put_message(writer: Connection, message: bytes) -> None:
        """Send a message that one reader will take with ``take_message``."""
        writer.send_bytes(message)

else:
    from multiprocessing.connection import Connection

    def take_message(reader: Connection, size_bytes: int) -> bytes:
        """Wait for a message of ``size_bytes`` and take it; no other reader gets a part of it, because one ``read`` takes it whole."""
        return os.read(reader.fileno(), size_bytes)

    def put_message(writer: Connection, message: bytes) -> None:
        """Send a message that one reader will take with ``take_message``; one ``write`` puts it whole, up to PIPE_BUF (pipe(7))."""
        os.write(writer.fileno(), message)


__all__ = ["Connection", "put_message", "take_message"]
