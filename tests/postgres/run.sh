#!/usr/bin/env bash
# The suites of the store, of the engine and of the program on a real PostgreSQL, which answers over TLS by an authority of its own, and is
# restarted.
#
#   run.sh          the store's suite, and of the others what lies nearest to the database
#   run.sh all      all three
#
# Needs PostgreSQL's server and client (Debian: postgresql) and openssl. The server lies in a temporary folder and ends with the script.
set -euo pipefail
. "$(dirname "$0")/../programs.sh"
cd "$root"
programs=$(find /usr/lib/postgresql -name initdb -printf '%h\n' | sort -V | tail -1)
# It does not run as root.
as=()
if [ "$(id -u)" = 0 ]; then
  as=(setpriv --reuid=postgres --regid=postgres --clear-groups --)
  chown postgres "$scratch"
fi
chmod 711 "$scratch"

tls=$scratch/tls
mkdir "$tls"
(
  cd "$tls"
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=an authority" -keyout ca.key -out ca.pem
  openssl req -newkey rsa:2048 -nodes -subj "/CN=127.0.0.1" -keyout server.key -out server.csr
  printf 'subjectAltName=IP:127.0.0.1\n' >san
  openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san -out server.pem
) 2>"$scratch/openssl.log" || { cat "$scratch/openssl.log"; exit 1; }
chmod 644 "$tls"/*
chmod 600 "$tls/server.key"
[ "$(id -u)" != 0 ] || chown postgres "$tls/server.key"

(cd "$scratch" && "${as[@]}" "$programs/initdb" -D data -A trust -U postgres --no-sync >initdb.log) || { cat "$scratch/initdb.log"; exit 1; }
port=$(free_port)
cat >>"$scratch/data/postgresql.conf" <<CONF
port = $port
listen_addresses = '127.0.0.1, localhost'
unix_socket_directories = '$scratch'
max_connections = 400
fsync = off
ssl = on
ssl_cert_file = '$tls/server.pem'
ssl_key_file = '$tls/server.key'
CONF
# Starts, stops and restarts the server: `control stop -m fast`.
control=$scratch/control
cat >"$control" <<CONTROL
#!/bin/sh
cd "$scratch"
exec ${as[*]} "$programs/pg_ctl" -D "$scratch/data" -l "$scratch/postgres.log" -w "\$@"
CONTROL
chmod 755 "$control"
trap '"$control" stop -m immediate >"$scratch/stop.log" 2>&1 || true; end_started' EXIT
"$control" start >"$scratch/start.log" || { cat "$scratch/start.log" "$scratch/postgres.log"; exit 1; }
export TEST_POSTGRES_URL=postgres://postgres@127.0.0.1:$port/postgres TEST_POSTGRES_CA=$tls/ca.pem

cargo test --workspace --locked --test it --no-run 2>&1 | tee "$scratch/build.log"
# Three of many programs of that name.
with() {
  local test
  for test in $(sed -n 's|.*tests/it/main.rs (\(.*\))|\1|p' "$scratch/build.log"); do
    # Paths of cargo are of the folder where it was called.
    if "$test" --list 2>/dev/null | grep "^$1: test" >/dev/null; then realpath "$test"; return 0; fi
  done
  echo "no test $1 was built" >&2
  return 1
}
store=$(with postgres::it_is_said_where_the_suite_runs)
engine=$(with changes::a_quiet_poll_of_twenty_spaces_is_three_requests)
program=$(with postgres::the_whole_service_works_on_postgresql)
(cd crates/metastore && "$store" --nocapture postgres::it_is_said | grep "schemas of the server")
(cd crates/metastore && "$store")
if [ "${1:-}" = all ]; then
  (cd actors && "$engine")
  # Attacks are on files and addresses.
  "$program" --skip attacks::
else
  (cd actors && "$engine" first_sync:: changes:: moves:: removals:: stories::)
  "$program" postgres:: process:: access:: deletion:: main_job:: moves:: people:: rest:: runs::
fi
# Alone: the server goes away under it.
(cd crates/metastore && TEST_POSTGRES_CONTROL=$control "$store" --nocapture restart:: --test-threads 1)
