#!/usr/bin/env bash
# The service behind a real nginx with a prefix that it strips: page, API's description, Location, problem types, events and both
# MCP transports.
#
#   tests/proxy/run.sh [BINARY [SIMULATORS]]     BINARY: mcp-confluence; SIMULATORS: the example `serve` of crates/simulators.
#                                                NGINX: the program, by default that on the path.
set -euo pipefail
. "$(dirname "$0")/../programs.sh"
binary=$(realpath "${1:-$built/mcp-confluence}")
simulators=$(realpath "${2:-$(dirname "$binary")/examples/serve}")
nginx=${NGINX:-$(command -v nginx || echo /usr/sbin/nginx)}
[ -x "$nginx" ] || { echo "nginx is not installed"; exit 1; }
work=$scratch
fail() { echo "FAIL $1"; exit 1; }
ok() { echo "ok   $1"; }

port=$(free_port) front=$(free_port)
base=http://127.0.0.1:$front/confluence
start_simulators "$simulators" "$work/sim.log"
grep -E '^CONFLUENCE_(BASE_URL|EMAIL|API_TOKEN)=' "$work/sim.log" >"$work/.env"
cat >>"$work/.env" <<ENV
PUBLIC_BASE_URL=$base
TRUSTED_PROXIES=127.0.0.1
API_PORT=$port
ENV
(cd "$work" && exec env -u LLAMA_CLOUD_API_KEY "$binary") >"$work/service.log" 2>&1 &
service=$!
started+=("$service")
cat >"$work/nginx.conf" <<CONF
daemon off; worker_processes 1; pid $work/nginx.pid; error_log $work/error.log;
events {}
http {
  access_log off;
  client_body_temp_path $work/b; proxy_temp_path $work/p; fastcgi_temp_path $work/f; uwsgi_temp_path $work/u; scgi_temp_path $work/s;
  server {
    listen 127.0.0.1:$front;
    location /confluence/ {
      proxy_pass http://127.0.0.1:$port/;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host \$http_host;
      proxy_set_header X-Forwarded-For \$remote_addr;
      proxy_set_header X-Forwarded-Proto \$scheme;
    }
  }
}
CONF
"$nginx" -c "$work/nginx.conf" -p "$work" >"$work/nginx.log" 2>&1 &
started+=("$!")
for _ in $(seq 300); do
  curl -fs "$base/health/ready" >/dev/null 2>&1 && break
  kill -0 "$service" 2>/dev/null || { cat "$work/service.log"; exit 1; }
  sleep 0.2
done
curl -fs "$base/health/ready" >/dev/null || { cat "$work/service.log" "$work/nginx.log" "$work/error.log"; exit 1; }

# Every address that the page and its scripts name leads somewhere under the prefix.
page=$(curl -fs "$base/")
names=$(grep -oE '(href|src)="[^"#]+"' <<<"$page" | cut -d'"' -f2 | sort -u)
for name in $names; do
  case $name in /*|*:*) fail "the page names $name" ;; esac
  curl -fsL -o /dev/null "$base/$name" || fail "$name of the page"
done
for script in $(cd "$root/src/web/assets" && basename -s .js ./*.js); do
  text=$(curl -fs "$base/assets/$script.js") || fail "assets/$script.js"
  grep -qE "[\"'\`(]/(api|assets|docs)" <<<"$text" && fail "$script.js leaves the prefix"
done
ok "the page and its files"

curl -fs "$base/docs" | grep -qF '<base href="docs/">' || fail "docs without a slash"
for name in $(curl -fs "$base/docs/" | grep -oE '(href|src)="[^"#]+"' | cut -d'"' -f2 | sort -u); do
  curl -fs -o /dev/null "$base/docs/$name" || fail "docs/$name"
done
curl -fs "$base/docs/swagger-initializer.js" | grep -q '"../openapi.json"' || fail "docs name another document"
curl -fs "$base/openapi.json" | grep -qF "\"url\":\"$base\"" || fail "the document names another server"
ok "the API's description"

location=$(curl -fs -D- -o /dev/null "$base/api/indexes/" -H 'content-type: application/json' \
  -d '{"name": "P", "agent_id": "proxied", "confluence_spaces": ["ENG"]}' | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
case $location in /confluence/api/indexes/*|$base/api/indexes/*) ;; *) fail "Location: $location" ;; esac
curl -fs -o /dev/null "http://127.0.0.1:$front${location#"http://127.0.0.1:$front"}" || fail "$location"
kind=$(curl -s "$base/api/indexes/nothing" | sed -n 's/.*"type":"\([^"]*\)".*/\1/p')
[ "$kind" = "/confluence/docs/problems#not_found" ] || fail "type: $kind"
curl -fs "http://127.0.0.1:$front$kind" | grep -q 'id="not_found"' || fail "$kind"
ok "Location and the types of problems"

first() { python3 - "$@" <<'PY'
import sys, urllib.request
url, wanted = sys.argv[1:]
with urllib.request.urlopen(urllib.request.Request(url, headers={"accept": "text/event-stream"}), timeout=10) as stream:
    while True:
        line = stream.readline().decode()
        if not line: sys.exit(f"{url} ended")
        if line.startswith(wanted): print(line.strip()); break
PY
}
first "$base/api/events" "event: snapshot" >/dev/null || fail "events"
ok "events"
[ "$(first "$base/mcp/sse" "data: " | cut -c1-20)" = "data: messages?sessi" ] || fail "the endpoint of MCP over SSE"
hello='{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}'
curl -fsN --max-time 10 "$base/mcp" -H 'content-type: application/json' -H 'accept: application/json, text/event-stream' -d "$hello" \
  | grep -q '"serverInfo"' || fail "MCP over Streamable HTTP"
ok "both MCP transports"
