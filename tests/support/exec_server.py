"""An API server that knows one verb: exec with a real shell at its end, over a websocket."""

from __future__ import annotations

import base64
import hashlib
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_STDIN, _STDOUT, _STDERR, _ERROR = range(4)


@contextmanager
def exec_server(folder: Path, *, refuses: bool = False) -> Iterator[Path]:
    """Serve execs while the block runs, and yield a kubeconfig that leads there."""
    answering: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        serving = threading.Thread(target=_serve, args=(server, refuses, answering), daemon=True)
        serving.start()
        user = {"name": "u", "user": {"token": "t"}}
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": address}}],
            "users": [user],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        file = folder / "kubeconfig"
        file.write_text(yaml.safe_dump(document))
        yield file
        # What wakes the thread that waits for somebody to come.
        server.shutdown(socket.SHUT_RDWR)
        serving.join()
    for one in answering:
        one.join()


def _serve(server: socket.socket, refuses: bool, answering: list[threading.Thread]) -> None:
    with suppress(OSError):
        while True:
            one, _ = server.accept()
            made = threading.Thread(target=_answer, args=(one, refuses), daemon=True)
            made.start()
            answering.append(made)


def _answer(one: socket.socket, refuses: bool) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        head += one.recv(4096)
    if refuses:
        one.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        one.close()
        return
    lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    key = next(value for name, value in lines.items() if name.lower() == b"sec-websocket-key")
    accept = base64.b64encode(hashlib.sha1(key + _MAGIC).digest())
    one.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Protocol: v4.channel.k8s.io\r\nSec-WebSocket-Accept: "
        + accept
        + b"\r\n\r\n"
    )
    pipe = subprocess.PIPE
    shell = subprocess.Popen(["/bin/sh"], stdin=pipe, stdout=pipe, stderr=pipe)
    lock = threading.Lock()
    pumps = [
        threading.Thread(target=_pump, args=(source, channel, one, lock), daemon=True)
        for source, channel in ((shell.stdout, _STDOUT), (shell.stderr, _STDERR))
    ]
    for pump in pumps:
        pump.start()
    feed = threading.Thread(target=_feed, args=(one, shell), daemon=True)
    feed.start()
    for pump in pumps:
        pump.join()
    shell.wait()
    with suppress(OSError):
        _send(one, bytes([_ERROR]) + b'{"status":"Success"}', lock)
        with lock:
            one.sendall(b"\x88\x00")
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    feed.join()
    one.close()


def _pump(source, channel: int, one: socket.socket, lock: threading.Lock) -> None:
    with suppress(OSError), source:
        while content := source.read1(32768):
            _send(one, bytes([channel]) + content, lock)


def _send(one: socket.socket, content: bytes, lock: threading.Lock) -> None:
    size = len(content)
    head = bytes([0x82]) + (bytes([size]) if size < 126 else b"\x7e" + struct.pack(">H", size))
    with lock:
        one.sendall(head + content)


def _feed(one: socket.socket, shell: subprocess.Popen[bytes]) -> None:
    """Pass on what the client sends; its frames are masked."""
    with suppress(OSError, ValueError, struct.error), one.makefile("rb") as source:
        while (head := source.read(2)) and head[0] & 15 != 8:
            size = head[1] & 127
            if size == 126:
                (size,) = struct.unpack(">H", source.read(2))
            elif size == 127:
                (size,) = struct.unpack(">Q", source.read(8))
            mask, content = source.read(4), bytearray(source.read(size))
            for at in range(size):
                content[at] ^= mask[at % 4]
            if content[:1] == bytes([_STDIN]):
                shell.stdin.write(content[1:])
                shell.stdin.flush()
    with suppress(OSError):
        shell.stdin.close()
    shell.kill()
