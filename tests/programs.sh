# What the suites of these folders share; sourced, not run. Everything in `started` ends with the script that started it, and the
# folder `scratch` goes.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Where cargo put the debug builds.
built=$(realpath -m "${CARGO_TARGET_DIR:-$root/target}")/debug
scratch=$(mktemp -d)
started=()

end_started() {
  local pid
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$scratch"
}
trap end_started EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# until_written PID FILE TEXT: until the program has written the text; fails with what it wrote when it ends before, or after a minute.
until_written() {
  for _ in $(seq 300); do
    if grep -qF -- "$3" "$2" 2>/dev/null; then return 0; fi
    kill -0 "$1" 2>/dev/null || break
    sleep 0.2
  done
  cat "$2"
  echo "FAIL it never wrote: $3"
  return 1
}

# start LOG COMMAND…: starts a program that writes into this log, where nothing stands from last time; leaves its process in `pid`.
start() {
  : >"$1"
  "${@:2}" >>"$1" 2>&1 &
  pid=$!
  started+=("$pid")
}

# start_demo BINARY LOG: the demo on a free port, its first sync done; leaves its process in `demo` and its address in `url`.
start_demo() {
  start "$2" "$1" demo --port "$(free_port)" --every 3600
  demo=$pid
  until_written "$demo" "$2" "Ctrl-C ends it"
  url=$(sed -n '/.* serves at /{s///p;q}' "$2")
}

# start_simulators SERVE LOG [OPTION…]: the simulated Confluence and LlamaCloud; leaves the settings of their accounts in the log.
start_simulators() {
  start "$2" "$1" "${@:3}"
  until_written "$pid" "$2" LLAMA_CLOUD_API_KEY=
}

# start_service BINARY ACCOUNTS LOG KEY: the service over the simulators whose settings stand in ACCOUNTS, with nothing else of this
# environment; leaves its process in `pid` and its address in `url`.
start_service() {
  local settings=() pair port
  port=$(free_port)
  while read -r pair _; do settings+=("$pair"); done < <(grep -E '^(CONFLUENCE_(BASE_URL|EMAIL|API_TOKEN)|LLAMA_CLOUD_[A-Z_]+)=' "$2")
  start "$3" env -i -C "$scratch" "${settings[@]}" API_KEY="$4" API_PORT="$port" DATABASE_URL="sqlite:///$scratch/$port.db" RUST_LOG=warn "$1" serve
  url=http://127.0.0.1:$port
}

# python_with FOLDER REQUIREMENTS: a Python environment with the pinned package of the file, made where it is not there.
python_with() {
  if ! "$1/bin/pip" freeze 2>/dev/null | grep -qxF "$(cat "$2")"; then
    python3 -m venv "$1"
    "$1/bin/pip" install --quiet --disable-pip-version-check -r "$2"
  fi
}
