"""
Fast Open of the kernel: a server that sends back what it gets, or a client that expects just that, COUNT times, over TCP
or Multipath TCP (tcp, mptcp).
"""
import socket
import sys

MSG_FASTOPEN = 0x20000000
TCP_FASTOPEN = 23
PENDING = 16
PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "mptcp": 262}


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def everything(connection):
    pieces = []
    while piece := connection.recv(1 << 16):
        pieces.append(piece)
    return b"".join(pieces)


def serve(protocol, address, port, count):
    with socket.socket(family(address), socket.SOCK_STREAM, PROTOCOLS[protocol]) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, PENDING)
        listener.bind((address, port))
        listener.listen(PENDING)
        print("listening", flush=True)
        for _ in range(count):
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(20)
                connection.sendall(everything(connection))


def call(protocol, address, port, count):
    data = bytes(index * 131 & 255 for index in range(100_000))
    for _ in range(count):
        with socket.socket(family(address), socket.SOCK_STREAM, PROTOCOLS[protocol]) as connection:
            # A socket with a timeout does not block, and would not wait for the handshake that brings the cookie.
            sent = connection.sendto(data, MSG_FASTOPEN, (address, port))
            connection.settimeout(20)
            connection.sendall(data[sent:])
            connection.shutdown(socket.SHUT_WR)
            if everything(connection) != data:
                raise ValueError("other bytes came back")


{"serve": serve, "call": call}[sys.argv[1]](sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
