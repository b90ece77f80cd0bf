# Set-up shared by scripts/demo, scripts/test and .ci/run. Sourced; the caller has `set -euo pipefail`.
# shellcheck shell=bash
HM_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=scripts/lib/packages.sh
. "$HM_ROOT/scripts/lib/packages.sh"

# Compiled files are found again by another clone on this machine: paths below the root count as relative ones.
export CCACHE_BASEDIR=$HM_ROOT CCACHE_NOHASHDIR=1

hm_fail() { printf '%s\n' "$@" >&2; exit 3; }

# A heading with the seconds since the script began, so that a log shows where the time went.
hm_section() { printf '\n== %s  [%d s]\n' "$1" "$SECONDS"; }

# Prints those of the given packages that are not installed. One call of dpkg-query, some 20 ms.
hm_missing() {
  local have
  # Names of several architectures would come as name:arch; ${Package} is the bare name.
  have=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p') || true
  local p
  for p in "$@"; do
    grep -qxF -- "$p" <<<"$have" || printf '%s\n' "$p"
  done
}

# Runs apt-get as root, or through sudo.
hm_apt() {
  if [ "$(id -u)" = 0 ]; then
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 "$@"
  else
    sudo env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 "$@"
  fi
}

# hm_setup package…: installs what is missing, after saying what that is. Does nothing, quickly, when nothing is.
hm_setup() {
  command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
    hm_fail "This set-up knows Debian 12 only. Elsewhere install what scripts/lib/packages.sh names, then: cmake --workflow --preset check"
  local missing
  mapfile -t missing < <(hm_missing "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  # shellcheck disable=SC1091
  if [ "$(. /etc/os-release && echo "${ID:-}-${VERSION_ID:-}")" != debian-12 ]; then
    echo "Note: this is not Debian 12; the package names below may not fit."
  fi
  if [[ " ${missing[*]} " == *" libboost1.81-dev "* ]] && [ -z "$(hm_missing libboost1.74-dev)" ]; then
    hm_fail "The development files of Boost 1.74 (libboost1.74-dev) are installed. Debian allows only one version of them at a time and hubmirror needs 1.81." \
      "If nothing else on this machine needs 1.74, remove them and start again:" \
      "    apt-get remove libboost1.74-dev"
  fi
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    hm_fail "These Debian packages are missing, and this is neither root nor is there sudo. As root run:" \
      "    apt-get install --no-install-recommends ${missing[*]}"
  fi
  echo "About to install these Debian packages with apt-get: ${missing[*]}"
  local log
  log=$(mktemp /tmp/hubmirror-setup.XXXXXX.log)
  # A list of some third party that cannot be read is no reason to stop: what is needed is in Debian's own.
  hm_apt update -q >"$log" 2>&1 </dev/null || echo "Note: apt-get update had trouble; going on with the package lists that are here."
  if ! hm_apt install -y -q --no-install-recommends "${missing[@]}" >>"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    hm_fail "apt-get could not install them; its whole output is in $log"
  fi
  rm -f "$log"
  echo "Installed ${#missing[@]} packages."
}

# Compile jobs: one per processor, but at most two per 4 GB of memory (coroutines and Boost take up to 1.5 GB a file under sanitizers).
hm_jobs() {
  local cpus memory_gb by_memory
  cpus=$(nproc)
  memory_gb=$(awk '/^MemTotal:/ { printf "%d", ($2 + 524288) / 1048576 }' /proc/meminfo)
  by_memory=$((memory_gb / 2))
  [ "$by_memory" -ge 1 ] || by_memory=1
  echo $((cpus < by_memory ? cpus : by_memory))
}

# hm_build preset [target…]: configures and builds. Quiet while it goes well: the compiler's words are shown, ninja's countdown only on a terminal.
hm_build() {
  local preset=$1 jobs log
  shift
  jobs=$(hm_jobs)
  log=$HM_ROOT/build/$preset.log
  mkdir -p "$HM_ROOT/build"
  echo "Building preset $preset ($jobs jobs) in build/$preset; from nothing that takes some minutes"
  local command=(cmake --build "$HM_ROOT/build/$preset" -j "$jobs")
  [ $# -eq 0 ] || command+=(--target "$@")
  (cd "$HM_ROOT" && cmake --preset "$preset") >"$log" 2>&1 || { cat "$log" >&2; hm_fail "cmake --preset $preset failed"; }
  if [ -t 1 ]; then
    "${command[@]}" || hm_fail "The build of preset $preset failed."
  else
    "${command[@]}" >>"$log" 2>&1 || { grep -v '^\[[0-9]*/[0-9]*\] \(Building\|Linking\|Scanning\)' "$log" | tail -n 60 >&2; hm_fail "The build of preset $preset failed; its whole output is in build/$preset.log"; }
  fi
}
