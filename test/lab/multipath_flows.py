"""Multipath TCP flows of a kernel, each over as many paths as the path manager gives it.

The argument is a list of flows as JSON: {"id", "host", "port", "from", "listen", "send", "bytes"}. Prints "ready" and reads
two times of the monotonic clock, s, from standard input: clients connect at the first, everything ends at the second. A
sender sends so many bytes, or all the time when "bytes" is null. What became of each flow is the last line: {id: {"bytes",
"sha256", "finished": time or null, "slots": {slot: bytes received}}}, slots of a millisecond.
"""
import hashlib
import json
import os
import socket
import sys
import threading
import time

IPPROTO_MPTCP = 262
SLOT = 0.001
PIECE = os.urandom(1 << 16)
flows = json.loads(sys.argv[1])
results = {}
listeners = {}


def left():
    return max(0.01, end - time.monotonic())


def connected(flow):
    if flow["listen"]:
        listeners[flow["id"]].settimeout(left())
        return listeners[flow["id"]].accept()[0]
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
    made.bind((flow["from"], 0))
    time.sleep(max(0, start - time.monotonic()))
    made.settimeout(left())
    made.connect((flow["host"], flow["port"]))
    return made


def send(flow, connection, result, digest):
    while time.monotonic() < end and result["bytes"] != flow["bytes"]:
        connection.settimeout(left())
        most = len(PIECE) if flow["bytes"] is None else min(len(PIECE), flow["bytes"] - result["bytes"])
        count = connection.send(PIECE[:most])
        digest.update(PIECE[:count])
        result["bytes"] += count
    if result["bytes"] == flow["bytes"]:
        connection.shutdown(socket.SHUT_WR)
        # The peer closes when it has all of it.
        connection.settimeout(left())
        connection.recv(1)
        result["finished"] = time.monotonic()


def receive(connection, result, digest):
    while time.monotonic() < end:
        connection.settimeout(left())
        piece = connection.recv(1 << 18)
        now = time.monotonic()
        if piece == b"":
            result["finished"] = now
            return
        digest.update(piece)
        result["bytes"] += len(piece)
        slot = int(now / SLOT)
        result["slots"][slot] = result["slots"].get(slot, 0) + len(piece)


def run(flow):
    digest = hashlib.sha256()
    result = {"bytes": 0, "finished": None, "slots": {}}
    results[flow["id"]] = result
    try:
        with connected(flow) as connection:
            if flow["send"]:
                send(flow, connection, result, digest)
            else:
                receive(connection, result, digest)
            result["sha256"] = digest.hexdigest()
            if result["finished"] is None:
                # A reset: what still waits to be sent must not outlive the measurement.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    except OSError as error:
        result["sha256"] = digest.hexdigest()
        if time.monotonic() < end:
            result["error"] = str(error)


for flow in flows:
    if flow["listen"]:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((flow["host"], flow["port"]))
        listener.listen(16)
        listeners[flow["id"]] = listener
print("ready", flush=True)
start, end = (float(word) for word in sys.stdin.readline().split())
threads = [threading.Thread(target=run, args=(flow,)) for flow in flows]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(results), flush=True)
