#!/usr/bin/env bash
# What depends on the network, in one of the suite's own, which no other program and no other machine sees: the share of connections
# that each peer has (loopback has none), over addresses of the documentation's range; and a stop while a name server is silent.
#
#   tests/network/run.sh [BINARY]      needs Linux, `unshare` (util-linux) and `ip` (iproute2), and the right to make a network
set -euo pipefail
. "$(dirname "$0")/../programs.sh"
binary=$(realpath "${1:-$built/mcp-confluence}")
here=$(cd "$(dirname "$0")" && pwd)
mkdir "$scratch/peers" "$scratch/names"
printf 'nameserver 127.0.0.1\noptions timeout:20 attempts:2\n' >"$scratch/resolv.conf"

# shellcheck disable=SC2016 # the inner shell's own variables
unshare --map-root-user --net --mount bash -euo pipefail -c '
  here=$0 binary=$1 scratch=$2
  ip link set lo up
  for n in 1 2 3 4; do ip address add "198.51.100.$n/32" dev lo; done
  ulimit -n 16384
  python3 "$here/peers.py" "$binary" "$scratch/peers"
  mount --bind "$scratch/resolv.conf" "$(realpath /etc/resolv.conf)"
  python3 "$here/names.py" "$binary" "$scratch/names"
' "$here" "$binary" "$scratch"
