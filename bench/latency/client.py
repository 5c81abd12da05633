"""Asks a server again and again over one Multipath TCP connection, and times the answers.

Usage: client.py HOST PORT ping REQUEST LENGTH COUNT   prints the round-trip times as JSON, seconds
       client.py HOST PORT bulk                        reads as fast as it can until it is ended
"""

import json
import socket
import sys
import time

IPPROTO_MPTCP = 262
WARM_UP = 200


def connect(host, port):
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.connect((host, port))
    return connection


def ping(connection, request, length, count):
    times = []
    buffer = bytearray(length)
    view = memoryview(buffer)
    for _ in range(WARM_UP + count):
        start = time.perf_counter()
        connection.sendall(request)
        got = 0
        while got < length:
            read = connection.recv_into(view[got:])
            if read == 0:
                raise SystemExit("the server ended the connection")
            got += read
        times.append(time.perf_counter() - start)
    print(json.dumps(times[WARM_UP:]))


def bulk(connection):
    connection.sendall(b"b")
    buffer = bytearray(1 << 20)
    print("reading", flush=True)
    while connection.recv_into(buffer) != 0:
        pass


def main(arguments):
    host, port, what = arguments[0], int(arguments[1]), arguments[2]
    connection = connect(host, port)
    if what == "ping":
        ping(connection, arguments[3].encode(), int(arguments[4]), int(arguments[5]))
    else:
        bulk(connection)


main(sys.argv[1:])
