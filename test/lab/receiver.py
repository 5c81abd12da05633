"""Reads standard input to its end and reports bytes, SHA-256 and the longest time in which nothing came."""
import hashlib
import json
import os
import time

digest = hashlib.sha256()
count = 0
stall = 0.0
last = None
while piece := os.read(0, 1 << 18):
    now = time.monotonic()
    if last is not None:
        stall = max(stall, now - last)
    digest.update(piece)
    count += len(piece)
    last = time.monotonic()
print(json.dumps({"bytes": count, "sha256": digest.hexdigest(), "stallMs": round(stall * 1000, 1)}))
