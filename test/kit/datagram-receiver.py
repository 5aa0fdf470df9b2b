"""Receives datagrams on a UNIX socket and prints one JSON array per line: the sender's pid, the text,
and when the kernel took it, in milliseconds of the wall clock.

Argument 1: the path, or an abstract name with @ first. On standard input: `read` takes up reading, `hold` stops it.
"""
import json, os, select, socket, struct, sys

name = sys.argv[1]
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
SO_TIMESTAMP = 29  # Python has no name for it.
receiver.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMP, 1)
receiver.bind("\0" + name[1:] if name.startswith("@") else name)
print(json.dumps(["listening"]), flush=True)
reading = True
while True:
    ready, _, _ = select.select([sys.stdin] + ([receiver] if reading else []), [], [])
    if sys.stdin in ready:
        order = os.read(0, 100).decode().strip()
        if order == "":
            break
        reading = order == "read"
        print(json.dumps([order]), flush=True)
    if receiver in ready:
        data, ancillary, _, _ = receiver.recvmsg(65536, 1024)
        for level, kind, content in ancillary:
            if kind == SO_TIMESTAMP:
                seconds, micros = struct.unpack("qq", content)
            if kind == socket.SCM_CREDENTIALS:
                pid = struct.unpack("iii", content)[0]
            # The barrier of systemd-notify: its other end sees that everything before it was read.
            if kind == socket.SCM_RIGHTS:
                for fd in struct.unpack("%di" % (len(content) // 4), content):
                    os.close(fd)
        print(json.dumps([pid, data.decode(), seconds * 1000 + micros // 1000]), flush=True)
