"""A Hugging Face Hub in miniature for tests, demos and benchmarks. See README.md."""

from .repos import (
    GITATTRIBUTES,
    Executable,
    Lfs,
    LfsFile,
    LfsMade,
    LfsPointer,
    LfsRandom,
    LfsZeros,
    Store,
    Submodule,
    Symlink,
    build_lfs_files,
    build_many_commits,
    build_many_files,
    build_many_refs,
)
from .server import FakeHub, Options

__all__ = [
    "GITATTRIBUTES", "Executable", "FakeHub", "Lfs", "LfsFile", "LfsMade", "LfsPointer", "LfsRandom", "LfsZeros", "Options", "Store",
    "Submodule", "Symlink", "build_lfs_files", "build_many_commits", "build_many_files", "build_many_refs",
]
