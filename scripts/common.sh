#===- common.sh - What the scripts share ----------------------------------===#
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-----------------------------------------------------------------------===#
# Sourced, with `set -euo pipefail`.

phantom_source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Debian's own tools first: its python3 has the packages that install-deps installs.
export PATH=/usr/bin:$PATH
export CCACHE_BASEDIR=$phantom_source CCACHE_NOHASHDIR=1

phantom_jobs=$(nproc)

# Prints the header comment of script $1 from its usage line.
phantom_usage() {
  sed -n '/^# usage/,/^[^#]/{/^[^#]/d;s/^# \{0,1\}//;p}' "$1"
}

# phantom_configure BUILD_DIR [CMAKE ARGUMENT...]; quiet unless it fails.
phantom_configure() {
  local build=$1 log
  shift
  mkdir -p "$build"
  log=$build/configure.log
  if ! cmake -G Ninja -S "$phantom_source" -B "$build" "$@" >"$log" 2>&1; then
    cat "$log" >&2
    echo "error: configuring $build failed" >&2
    return 1
  fi
}

# phantom_build BUILD_DIR [TARGET...]; prints progress on a terminal only, and the log if it fails.
phantom_build() {
  local build=$1 log
  shift
  log=$build/build.log
  if [[ -t 1 ]]; then
    ninja -C "$build" -j"$phantom_jobs" "$@" | tee "$log" || return 1
  elif ! ninja -C "$build" -j"$phantom_jobs" "$@" >"$log" 2>&1; then
    tail -n 60 "$log" >&2
    echo "error: building in $build failed" >&2
    return 1
  fi
}

# phantom_benchmark_options FLAGS SCRIPT ARGUMENT...; sets build, venv and arguments, which are for the program, from the
# command line of a benchmark that takes --build-dir, and --venv if FLAGS is "venv". A request for help is answered, and ends
# it.
phantom_benchmark_options() {
  local flags=$1 script=$2
  shift 2
  build=$phantom_source/build
  venv=
  arguments=()
  while (($#)); do
    case $flags$1 in
    "$flags"-h | "$flags"--help)
      phantom_usage "$script"
      exit 0
      ;;
    "$flags"--build-dir)
      build=$(realpath -m "${2:?--build-dir needs a folder}")
      shift
      ;;
    venv--venv)
      venv=$(realpath -m "${2:?--venv needs a folder}")
      shift
      ;;
    *) arguments+=("$1") ;;
    esac
    shift
  done
  : "${venv:=$build/venv-peers}"
}

# phantom_venv DIR PACKAGE...; a virtual environment with the newest releases, unless it can import all of them.
phantom_venv() {
  local venv=$1 import
  shift
  import=$(IFS=,; echo "$*")
  [[ -x $venv/bin/python ]] || python3 -m venv "$venv"
  if ! "$venv/bin/python" -c "import $import" 2>/dev/null; then
    echo "== $* from PyPI ($venv)"
    "$venv/bin/python" -m pip install --quiet --upgrade "$@"
  fi
}
