"""Large-file bytes of the fake Hub: files named by SHA-256 under one directory, outside of git.

Threads: every function may be called from any thread; a blob becomes visible by rename, whole.
"""

import hashlib
import json
import os
import threading

BLOCK = 8 << 20


def random_blocks(size, seed):
    """Yields `size` deterministic bytes that gzip cannot shrink, at memory speed.

    One block of SHAKE output is rotated by a different amount for each block, behind 64 fresh bytes, so no
    two blocks are equal and a shifted or swapped range never hashes to the right value.
    """
    key = str(seed).encode()
    base = hashlib.shake_128(b"fake-hub-base:" + key).digest(min(BLOCK, max(size, 64)))
    doubled = memoryview(base + base)
    index = 0
    while size > 0:
        head = hashlib.shake_128(b"fake-hub-block:%s:%d" % (key, index)).digest(64)
        shift = int.from_bytes(head[:4], "little") % len(base)
        block = head + doubled[shift : shift + len(base) - 64].tobytes()
        block = block[:size]
        yield block
        size -= len(block)
        index += 1


class BlobStore:
    """`root`/ab/<sha256>. `made.json` remembers which recipe gave which digest, so a rerun makes nothing twice."""

    def __init__(self, root):
        self.root = str(root)
        self._lock = threading.Lock()
        os.makedirs(os.path.join(self.root, "tmp"), exist_ok=True)
        self._made_path = os.path.join(self.root, "made.json")
        try:
            with open(self._made_path, encoding="utf-8") as f:
                self._made = json.load(f)
        except FileNotFoundError:
            self._made = {}

    def path(self, sha256):
        return os.path.join(self.root, sha256[:2], sha256)

    def size(self, sha256):
        """Bytes, or None when the blob is not there."""
        try:
            return os.stat(self.path(sha256)).st_size
        except FileNotFoundError:
            return None

    def add_bytes(self, data):
        sha256 = hashlib.sha256(data).hexdigest()
        if self.size(sha256) is None:
            self._publish(self._temp([data]), sha256)
        return sha256, len(data)

    def add_file(self, path):
        with open(path, "rb") as f:
            return self.add_chunks(iter(lambda: f.read(BLOCK), b""))

    def add_chunks(self, chunks):
        """Stores an iterable of byte strings; returns (sha256, size in bytes)."""
        digest = hashlib.sha256()
        size = 0

        def counted():
            nonlocal size
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                yield chunk

        temp = self._temp(counted())
        self._publish(temp, digest.hexdigest())
        return digest.hexdigest(), size

    def make(self, recipe, chunks):
        """`chunks()` stored once per `recipe` (a string); returns (sha256, size in bytes)."""
        known = self._made.get(recipe)
        if known and self.size(known[0]) == known[1]:
            return tuple(known)
        sha256, size = self.add_chunks(chunks())
        with self._lock:
            self._made[recipe] = [sha256, size]
            temp = self._made_path + ".tmp"
            with open(temp, "w", encoding="utf-8") as f:
                json.dump(self._made, f)
            os.replace(temp, self._made_path)
        return sha256, size

    def random(self, size, seed):
        return self.make(f"random:{size}:{seed}", lambda: random_blocks(size, seed))

    def zeros(self, size):
        """A sparse file of `size` zero bytes: a big file that costs no disk."""
        recipe = f"zeros:{size}"
        known = self._made.get(recipe)
        if known and self.size(known[0]) == size:
            return tuple(known)
        digest = hashlib.sha256()
        block = bytes(BLOCK)
        for _ in range(size // BLOCK):
            digest.update(block)
        digest.update(bytes(size % BLOCK))
        temp = self._temp([])
        os.truncate(temp, size)
        self._publish(temp, digest.hexdigest())
        with self._lock:
            self._made[recipe] = [digest.hexdigest(), size]
            with open(self._made_path, "w", encoding="utf-8") as f:
                json.dump(self._made, f)
        return digest.hexdigest(), size

    def _temp(self, chunks):
        path = os.path.join(self.root, "tmp", f"{os.getpid()}-{threading.get_ident()}-{os.urandom(6).hex()}")
        with open(path, "wb", buffering=0) as f:
            for chunk in chunks:
                view = memoryview(chunk)
                while view:
                    view = view[f.write(view) :]
        return path

    def _publish(self, temp, sha256):
        final = self.path(sha256)
        os.makedirs(os.path.dirname(final), exist_ok=True)
        os.replace(temp, final)
