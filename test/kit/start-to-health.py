"""Starts `argv[1:]` as systemd starts a service with a socket, and prints the milliseconds from there to its answer to GET /health.

The request waits in the socket before the process begins, so that nothing that asks takes processor time from what starts.
"""

import os
import socket
import subprocess
import sys
import time

listener = socket.create_server(("127.0.0.1", 0))
asking = socket.create_connection(listener.getsockname())
asking.settimeout(20)
asking.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
os.dup2(listener.fileno(), 3)
begun = time.monotonic()
started = subprocess.Popen(["/bin/sh", "-c", 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"', "sh", *sys.argv[1:]], pass_fds=[3], stdout=subprocess.DEVNULL)
try:
    answer = asking.recv(4096)
    took = (time.monotonic() - begun) * 1000
finally:
    started.terminate()
    status = started.wait(20)
if not answer.startswith(b"HTTP/1.1 200 ") or status != 0:
    sys.exit(f"expected 200 and an orderly end, found {answer!r} and {status}")
print(took)
