"""HTTP/1.1 server in the kernel's Multipath TCP: GET sends the file, PUT answers with the SHA-256 of what came."""
import hashlib
import json
import os
import socket
import sys
import threading

IPPROTO_MPTCP = 262


def serve(connection, path):
    with connection:
        reader = connection.makefile("rb")
        request = reader.readline().split()
        length = 0
        while line := reader.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if request[0] == b"GET":
            size = os.path.getsize(path)
            connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size)
            with open(path, "rb") as file:
                connection.sendfile(file)
            return
        digest = hashlib.sha256()
        left = length
        while left > 0:
            piece = reader.read1(min(left, 1 << 18))
            if not piece:
                raise EOFError(f"{left} of {length} bytes are missing")
            digest.update(piece)
            left -= len(piece)
        body = json.dumps({"bytes": length, "sha256": digest.hexdigest()}).encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def main():
    address, port, protocol, path = sys.argv[1:5]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, IPPROTO_MPTCP if protocol == "mptcp" else 0)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, int(port)))
    listener.listen(512)
    print("listening", flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection, path), daemon=True).start()


main()
