"""Opens many Multipath TCP connections at once, then fetches one body over each and compares its SHA-256."""
import hashlib
import json
import selectors
import socket
import sys
import time

IPPROTO_MPTCP = 262


def main():
    address, port, path, count, expected = sys.argv[1:6]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    selector = selectors.DefaultSelector()
    start = time.monotonic()
    for index in range(int(count)):
        client = socket.socket(family, socket.SOCK_STREAM, IPPROTO_MPTCP)
        client.settimeout(30)
        client.connect((address, int(port)))
        client.setblocking(False)
        selector.register(client, selectors.EVENT_READ, {"head": b"", "digest": None, "bytes": 0})
    opened = time.monotonic()
    request = f"GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode()
    for key in list(selector.get_map().values()):
        key.fileobj.sendall(request)
    correct = 0
    total = 0
    while selector.get_map():
        ready = selector.select(timeout=30)
        if not ready:
            raise TimeoutError(f"{len(selector.get_map())} connections made no progress for 30 s")
        for key, _ in ready:
            piece = key.fileobj.recv(1 << 18)
            state = key.data
            if not piece:
                correct += state["digest"] is not None and state["digest"].hexdigest() == expected
                total += state["bytes"]
                selector.unregister(key.fileobj)
                key.fileobj.close()
                continue
            if state["digest"] is None:
                state["head"] += piece
                head, mark, piece = state["head"].partition(b"\r\n\r\n")
                if not mark:
                    continue
                state["digest"] = hashlib.sha256()
            state["digest"].update(piece)
            state["bytes"] += len(piece)
    print(json.dumps({"correct": correct, "bytes": total, "openSeconds": opened - start, "seconds": time.monotonic() - opened}))


main()
