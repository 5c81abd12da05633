"""One connection of the kernel that sends and receives at a steady pace until it is told to end.

The argument is a plan as JSON: {"listen", "host", "port", "from", "mptcp", "piece"}. Orders come by standard input, one a line:
"open" listens or connects, "finish" sends no more and reads to the end of the stream, "reset" closes with a reset, "info"
asks for the kernel's struct mptcp_info. What happens is told by standard output, one JSON object a line. The program
lives until standard input ends, so that its entry in /proc shows the counters of its namespace.
"""
import errno
import hashlib
import json
import os
import select
import socket
import struct
import sys

IPPROTO_MPTCP = 262
SOL_MPTCP = 284
MPTCP_INFO = 1
FALLBACK = 1
TICK = 0.002
plan = json.loads(sys.argv[1])
listeners = []
pattern = bytearray(os.urandom(plan["piece"]))
# Without a buffer: what select() tells of it is all there is.
orders = open(0, "rb", buffering=0)


class Stream:
    def __init__(self, connection):
        self.connection = connection
        connection.setblocking(False)
        # A piece goes out as it is.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent = 0
        self.received = 0
        self.sent_hash = hashlib.sha256()
        self.received_hash = hashlib.sha256()
        self.rest = b""
        self.sending = True
        self.finishing = False
        self.ended = False

    def send(self):
        if not self.rest:
            struct.pack_into(">Q", pattern, 0, self.sent)
            self.rest = bytes(pattern)
        try:
            count = self.connection.send(self.rest)
        except BlockingIOError:
            return
        self.sent_hash.update(self.rest[:count])
        self.sent += count
        self.rest = self.rest[count:]

    def receive(self):
        while not self.ended:
            try:
                piece = self.connection.recv(1 << 18)
            except BlockingIOError:
                return
            self.ended = piece == b""
            self.received_hash.update(piece)
            self.received += len(piece)

    def report(self):
        return {
            "sent": self.sent,
            "sentHash": self.sent_hash.hexdigest(),
            "received": self.received,
            "receivedHash": self.received_hash.hexdigest(),
        }


def say(what, value):
    print(json.dumps({what: value}), flush=True)


def opened():
    family = socket.AF_INET6 if ":" in plan["host"] else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM, IPPROTO_MPTCP if plan["mptcp"] else 0)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if plan["listen"]:
        made.bind((plan["host"], plan["port"]))
        made.listen(16)
        say("listening", True)
        # It goes on listening: the kernel takes joins by a listener only.
        listeners.append(made)
        made, _ = made.accept()
    else:
        if plan["from"]:
            made.bind((plan["from"], 0))
        made.settimeout(30)
        made.connect((plan["host"], plan["port"]))
    say("connected", True)
    return Stream(made)


def info(stream):
    raw = stream.connection.getsockopt(SOL_MPTCP, MPTCP_INFO, 64)
    flags = struct.unpack_from("=I", raw, 8)[0]
    say("info", {"subflows": raw[0], "signalled": raw[1], "accepted": raw[2], "fallback": flags & FALLBACK != 0})


def serve(stream):
    """Carries out orders and moves data; returns when the connection is over. False when there are no more orders."""
    while True:
        ready, _, _ = select.select([orders, stream.connection], [], [], TICK)
        if orders in ready:
            order = orders.readline().decode()
            if order == "":
                return False
            if order == "finish\n":
                stream.finishing = True
            if order == "reset\n":
                stream.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                stream.connection.close()
                say("done", stream.report())
                return True
            if order == "info\n":
                info(stream)
        if stream.connection in ready:
            stream.receive()
        if stream.sending:
            # What was begun is sent whole: both ends then know the same bytes.
            if stream.finishing and not stream.rest:
                stream.connection.shutdown(socket.SHUT_WR)
                stream.sending = False
            else:
                stream.send()
        if stream.ended and not stream.sending:
            stream.connection.close()
            say("done", stream.report())
            return True


for line in iter(orders.readline, b""):
    if line != b"open\n":
        continue
    stream = None
    try:
        stream = opened()
        if not serve(stream):
            break
    except OSError as error:
        say("error", {"code": errno.errorcode.get(error.errno, str(error)), **(stream.report() if stream else {})})
