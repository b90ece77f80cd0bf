# Which Debian 12 packages each job needs. Only lists; scripts/lib/setup.sh installs what is missing.
# shellcheck shell=bash disable=SC2034

# To build hubmirror and to run it. git is not for building alone: it packs what `hubmirror serve` gives to clones.
HM_PACKAGES_BUILD=(
  g++ cmake ninja-build pkg-config ccache lld git ca-certificates python3 zstd
  libboost1.81-dev libboost-json1.81-dev libboost-url1.81-dev
  libcurl4-openssl-dev libgit2-dev librocksdb-dev libssl-dev
  libspdlog-dev libfmt-dev libcli11-dev libtomlplusplus-dev libyaml-dev libutf8proc-dev zlib1g-dev
)
# To run every test: the tests themselves, and clang for the second compiler and the fuzz targets.
HM_PACKAGES_TEST=(
  libgtest-dev libgmock-dev git-lfs man-db
  openssl slowhttptest
  python3-venv aria2 curl iproute2  # clients, and a network without a way out (scripts/clients)
)
# Where there is no npm yet.
HM_PACKAGES_NPM=(
  nodejs npm
)
HM_PACKAGES_CLANG=(
  clang-19 libclang-rt-19-dev lld-19 llvm-19
)
# The tools that benchmarks compare with. `hf` (huggingface_hub) is put into a Python environment of its own by scripts/test --bench.
HM_PACKAGES_BENCH=(
  aria2 curl git-lfs openssl python3-venv
)
