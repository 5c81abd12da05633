"""TCP flows of a kernel, all at once: standard input is a list of them as JSON, standard output what was received.

A flow is {"id", "host", "port", "listen", "send", "congestion", "start", "end"}: times are seconds of the monotonic clock.
What each receiver got is told in slots of 10 ms of that clock: {id: {slot: bytes}}.
"""
import json
import socket
import sys
import threading
import time

SLOT = 0.01
PIECE = bytes(1 << 16)


def connected(flow):
    endpoint = (flow["host"], flow["port"])
    if flow["listen"]:
        with listeners[flow["id"]] as listener:
            listener.settimeout(max(0.1, flow["end"] - time.monotonic()))
            return listener.accept()[0]
    time.sleep(max(0, flow["start"] - time.monotonic()))
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, flow["congestion"].encode())
    made.settimeout(max(0.1, flow["end"] - time.monotonic()))
    made.connect(endpoint)
    return made


def run(flow):
    slots = {}
    received[flow["id"]] = slots
    with connected(flow) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, flow["congestion"].encode())
        try:
            while (left := flow["end"] - time.monotonic()) > 0:
                connection.settimeout(left)
                if flow["send"]:
                    connection.send(PIECE)
                    continue
                size = len(connection.recv(1 << 18))
                if size == 0:
                    break
                slot = int(time.monotonic() / SLOT)
                slots[slot] = slots.get(slot, 0) + size
        except TimeoutError:
            pass
        # A reset: what still waits to be sent must not outlive the measurement.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


received = {}
listeners = {}
flows = json.loads(sys.stdin.readline() if len(sys.argv) < 2 else sys.argv[1])
for each in flows:
    if each["listen"]:
        waiting = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        waiting.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        waiting.bind((each["host"], each["port"]))
        waiting.listen(4)
        listeners[each["id"]] = waiting
print("listening", flush=True)
threads = [threading.Thread(target=run, args=(each,)) for each in flows]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(received))
