"""Repositories and packs no honest git writes, to show what a mirror does with them.

    make_hostile(repo, "dotdot")            # a tree entry called ".." in the head of main
    make_hostile_pack(repo, "delta_bomb")   # a pack that must be refused by the reader of packs

Where git itself refuses to serve the result, the repository gets a `canned.pack`: the server then speaks
upload-pack by itself and sends those bytes to whoever fetches (gitcgi.py).
"""

import hashlib
import os
import struct
import subprocess
import unicodedata
import zlib

from .gitread import GIT_ENV, parse_tree, run_git
from .repos import Symlink, Submodule

FILE, DIRECTORY, LINK, GITLINK = "100644", "40000", "120000", "160000"

# name -> list of extra root entries (mode, name bytes, what): what is "blob", "tree", "none" or link text.
_ENTRIES = {
    "dot": [(DIRECTORY, b".", "tree")],
    "dotdot": [(DIRECTORY, b"..", "tree")],
    "dotdot_file": [(FILE, b"..", "blob")],
    "dotgit": [(DIRECTORY, b".git", "tree")],
    "dotgit_upper": [(DIRECTORY, b".GIT", "tree")],
    "dotgit_hfs": [(DIRECTORY, ".g\u200cit".encode(), "tree")],
    "dotgit_ntfs": [(DIRECTORY, b"git~1", "tree")],
    "dotgit_trailing_dot": [(DIRECTORY, b".git.", "tree")],
    "dotgit_file": [(FILE, b".git", "blob")],
    "empty_name": [(FILE, b"", "blob")],
    "slash": [(FILE, b"a/b", "blob")],
    "absolute": [(FILE, b"/etc/passwd", "blob")],
    "slash_dotdot": [(FILE, b"../../outside", "blob")],
    "backslash": [(FILE, b"..\\outside", "blob")],
    "duplicate": [(FILE, b"README.md", "blob"), (FILE, b"README.md", "other")],
    "file_and_directory": [(FILE, b"twin", "blob"), (DIRECTORY, b"twin", "tree")],
    "bad_mode": [("177777", b"odd", "blob")],
    "zero_padded_mode": [("040000", b"padded", "tree")],
    "long_name": [(FILE, b"n" * 5000, "blob")],
    "invalid_utf8": [(FILE, b"caf\xe9.txt", "blob")],
    "control_characters": [(FILE, b"bell\x07\x1b[31m.txt", "blob")],
    "gitlink_without_gitmodules": [(GITLINK, b"module", "none")],
    "link_absolute": [(LINK, b"link", b"/etc/passwd")],
    "link_upwards": [(LINK, b"link", b"../../../../etc/passwd")],
    "missing_blob": [(FILE, b"gone.txt", "none")],
    "missing_tree": [(DIRECTORY, b"gone", "none")],
    "blob_called_tree": [(DIRECTORY, b"lie", "blob")],
    "tree_called_blob": [(FILE, b"lie", "tree")],
}
HOSTILE_NAMES = (*_ENTRIES, "unsorted", "truncated_tree", "deep", "tree_bomb", "gitmodules", "bad_commit", "tag_loop")
# Awkward but legal: every one of these has to be mirrored.
LEGAL_PATHS = (
    "README", "readme", "with space.txt", "caf\u00e9.txt", unicodedata.normalize("NFD", "caf\u00e9.txt"),
    "\u6a21\u578b/\u6743\u91cd.json", "per%20cent%.txt", "hash#tag.txt", "question?mark.txt", "plus+and&amp=.txt",
    "-leading-dash", "--help", "new\nline.txt", "tab\there.txt", 'quote".txt', "back\\slash.txt", "semi;colon.txt",
    "star*.txt", "[brackets].txt", "colon:name.txt", "dir with space/-x/\U0001f917 face.txt", "trailing dot.",
    "trailing space ", "resolve/main/README.md", "tree/main.txt", "...", "CON", "nul.txt", "a" * 255,
)
HOSTILE_PACKS = (
    "bad_trailer", "too_few_objects", "too_many_objects", "truncated", "bad_zlib", "wrong_size", "huge_declared_size",
    "bad_type", "bad_version", "missing_base", "delta_loop", "delta_bomb", "delta_out_of_range", "zlib_bomb",
    "base_inside", "missing_objects", "garbage_after", "not_a_pack", "empty",
)


def make_legal_names(repo):
    """One commit holding every awkward but legal path; {path: bytes}."""
    files = {path: f"content of {path!r}\n".encode() for path in LEGAL_PATHS}
    repo.commit("awkward names", {**files, "a-link": Symlink("with space.txt"), "a-module": Submodule()})
    return files


def make_hostile(repo, name, depth=5000):
    """Puts a good first commit on main, then one that carries the named attack. Returns the bad commit's id."""
    good = repo.commit("good", {"README.md": "# hostile\n", "dir/file.txt": "text\n"})
    root = repo.reader.object(good)[1].split(b"\n", 1)[0].split()[1].decode()
    entries = [(m.decode(), n, o) for m, n, o in parse_tree(repo.reader.object(root)[1])]
    blob = repo.raw_object("blob", b"hostile\n")
    made = {"blob": blob, "other": repo.raw_object("blob", b"second\n"), "none": "2" * 40,
            "tree": repo.raw_tree([(FILE, "inner.txt", blob)])}
    if name in _ENTRIES:
        for mode, entry, what in _ENTRIES[name]:
            oid = repo.raw_object("blob", what) if isinstance(what, bytes) else made[what]
            entries = [e for e in entries if name != "duplicate" or e[1] != entry or e[2] in made.values()]
            entries.append((mode, entry, oid))
        entries.sort(key=lambda e: e[1] + (b"/" if e[0].lstrip("0") == DIRECTORY else b""))
        bad = repo.raw_commit(repo.raw_tree(entries), parent=good)
    elif name == "unsorted":
        bad = repo.raw_commit(repo.raw_tree([(FILE, "b", blob), (FILE, "a", blob), (DIRECTORY, "0", made["tree"])]), parent=good)
    elif name == "truncated_tree":
        whole = repo.reader.object(root)[1]
        bad = repo.raw_commit(repo.raw_object("tree", whole[:-7]), parent=good)
    elif name == "deep":
        tree = repo.raw_tree([(FILE, "bottom.txt", blob)])
        for _ in range(depth):
            tree = repo.raw_tree([(DIRECTORY, "d", tree)])
        bad = repo.raw_commit(tree, parent=good)
    elif name == "tree_bomb":  # ten levels of ten links to the same tree: 10^10 paths out of twelve objects
        tree = repo.raw_tree([(FILE, f"f{i}", blob) for i in range(10)])
        for _ in range(9):
            tree = repo.raw_tree([(DIRECTORY, f"d{i}", tree) for i in range(10)])
        bad = repo.raw_commit(tree, parent=good)
    elif name == "gitmodules":
        text = b'[submodule "x"]\n\tpath = module\n\turl = --upload-pack=touch /tmp/owned\n\tupdate = !touch /tmp/owned\n'
        bad = repo.raw_commit(repo.raw_tree([(FILE, ".gitmodules", repo.raw_object("blob", text)), (GITLINK, "module", "2" * 40)]),
                              parent=good)
    elif name == "bad_commit":
        bad = repo.raw_object("commit", b"tree %s\nauthor nobody\n\nno committer\n" % root.encode())
        repo.write_refs({"refs/heads/main": bad})
    elif name == "tag_loop":  # a chain of 2,000 tags: as near to a loop as hashes allow
        bad = good
        kind = "commit"
        for i in range(2000):
            bad = repo.raw_object("tag", b"object %s\ntype %s\ntag t%d\ntagger E <e@x> 1 +0000\n\nx\n" % (bad.encode(), kind.encode(), i))
            kind = "tag"
        repo.write_refs({"refs/tags/chain": bad})
    else:
        raise ValueError(f"no hostile repository is called {name!r}; there are {HOSTILE_NAMES}")
    if not _git_can_serve(repo.git_dir):
        can(repo, write_pack(_all_objects(repo)))
    return bad


def _git_can_serve(git_dir):
    done = subprocess.run(["git", f"--git-dir={git_dir}", "pack-objects", "--all", "--stdout", "-q"], stdin=subprocess.DEVNULL,
                          env=GIT_ENV, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return done.returncode == 0


def can(repo, pack):
    """From now on every fetch of this repository is answered with these bytes."""
    with open(os.path.join(repo.git_dir, "canned.pack"), "wb") as f:
        f.write(pack)


# Packs.

_TYPES = {"commit": 1, "tree": 2, "blob": 3, "tag": 4, "ofs-delta": 6, "ref-delta": 7}


def _object_head(number, size):
    out = bytearray()
    byte = number << 4 | size & 15
    size >>= 4
    while size:
        out.append(byte | 128)
        byte = size & 127
        size >>= 7
    out.append(byte)
    return bytes(out)


def packed(kind, data, *, base=b"", declared=None, raw=None):
    """One pack entry; `declared` lies about the size, `raw` replaces the compressed bytes."""
    number = _TYPES[kind] if isinstance(kind, str) else kind
    return _object_head(number, len(data) if declared is None else declared) + base + (zlib.compress(data) if raw is None else raw)


def pack_of(entries, *, count=None, version=2, trailer=None):
    body = b"PACK" + struct.pack(">II", version, len(entries) if count is None else count) + b"".join(entries)
    return body + (hashlib.sha1(body).digest() if trailer is None else trailer)


def write_pack(objects):
    """A whole, correct pack of [(kind, bytes)]."""
    return pack_of([packed(kind, data) for kind, data in objects])


def _all_objects(repo):
    out = run_git(repo.git_dir, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").decode()
    return [repo.reader.object(oid) for oid in out.split()]


def _varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _distance(number):
    """How far a base lies before its delta."""
    out = bytearray([number & 127])
    while number := number >> 7:
        number -= 1
        out.insert(0, number & 127 | 128)
    return bytes(out)


def delta(base_size, result_size, *copies):
    """A git delta that copies (offset, size) pieces of its base."""
    out = bytearray(_varint(base_size) + _varint(result_size))
    for offset, size in copies:
        out += b"\xff" + struct.pack("<I", offset) + struct.pack("<I", size)[:3]
    return bytes(out)


def make_hostile_pack(repo, name):
    """A good repository whose fetch is answered by the named bad pack. Returns the pack."""
    repo.commit("good", {"README.md": "# hostile pack\n", "dir/file.txt": "text\n"})
    objects = [packed(kind, data) for kind, data in _all_objects(repo)]
    text = b"base " * 1000
    base_id = hashlib.sha1(b"blob %d\0" % len(text) + text).digest()
    base = packed("blob", text)
    whole = pack_of(objects)

    def with_base_inside():
        """A delta whose base looks like an entry and lies within the stored data of another one."""
        hidden = packed("blob", text)
        raw = zlib.compress(hidden, 0)
        carrier = packed("blob", hidden, raw=raw)
        distance = len(carrier) - carrier.index(hidden)
        return pack_of([*objects, carrier, packed("ofs-delta", delta(5000, 10, (0, 10)), base=_distance(distance))])

    def with_delta(data, base_oid=base_id):
        return pack_of([*objects, base, packed("ref-delta", data, base=base_oid)])

    made = {
        "bad_trailer": lambda: whole[:-1] + bytes([whole[-1] ^ 1]),
        "too_few_objects": lambda: pack_of(objects, count=len(objects) + 1),
        "too_many_objects": lambda: pack_of(objects, count=len(objects) - 1),
        "truncated": lambda: whole[: len(whole) * 2 // 3],
        "bad_zlib": lambda: pack_of([*objects, packed("blob", b"x" * 50, raw=b"this is not a zlib stream at all")]),
        "wrong_size": lambda: pack_of([*objects, packed("blob", b"x" * 50, declared=49)]),
        "huge_declared_size": lambda: pack_of([*objects, packed("blob", b"x" * 50, declared=1 << 44)]),
        "bad_type": lambda: pack_of([*objects, packed(5, b"reserved")]),
        "bad_version": lambda: pack_of(objects, version=9),
        "missing_base": lambda: with_delta(delta(5000, 10, (0, 10)), base_oid=b"\x33" * 20),
        # The only loop hashes allow: two entries naming each other by a guessed id; no base can ever be found.
        "delta_loop": lambda: pack_of([*objects, packed("ref-delta", delta(9, 9, (0, 9)), base=b"\x01" * 20),
                                       packed("ref-delta", delta(9, 9, (0, 9)), base=b"\x02" * 20)]),
        # 4 MB of copy instructions, a few kB compressed, that unfold to 2.5 GB.
        "delta_bomb": lambda: with_delta(delta(5000, 5000 * 500_000, *[(0, 5000)] * 500_000)),
        "delta_out_of_range": lambda: with_delta(delta(5000, 100, (4990, 100))),
        "zlib_bomb": lambda: pack_of([*objects, packed("blob", b"\0" * (256 << 20))]),
        "base_inside": with_base_inside,
        "missing_objects": lambda: pack_of(objects[:-2]),
        "garbage_after": lambda: whole + b"garbage after the trailer",
        "not_a_pack": lambda: b"<html>busy</html>" * 20,
        "empty": lambda: pack_of([]),
    }
    if name not in made:
        raise ValueError(f"no hostile pack is called {name!r}; there are {HOSTILE_PACKS}")
    pack = made[name]()
    can(repo, pack)
    return pack
