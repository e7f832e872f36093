#!/usr/bin/env bash
# Real MCP clients, the official conformance suites and LibreChat's own schemas against a running service.
#
#   tests/clients/run.sh [BINARY]        BINARY: mcp-confluence, by default the debug build
#
# Installs pinned packages into tests/clients/.work (kept for the next time), starts the demo and the conformance fixtures
# on free ports, runs everything, and fails where anything fails. Needs npm and python3; Node 22 comes from npm.
set -euo pipefail
. "$(dirname "$0")/../programs.sh"
binary=$(realpath "${1:-$built/mcp-confluence}")
cd "$root/tests/clients"
work=$PWD/.work
fixtures=${FIXTURES:-$(dirname "$binary")/examples/conformance_server}
simulators=${SIMULATORS:-$(dirname "$binary")/examples/serve}

say() { printf '\n-- %s\n' "$1"; }

say "packages"
mkdir -p "$work"
if ! cmp -s package.json "$work/package.json" || [ ! -x "$work/node_modules/.bin/node" ]; then
  cp package.json package-lock.json "$work/"
  (cd "$work" && npm ci --no-audit --no-fund --loglevel=error && npm rebuild node --loglevel=error)
fi
node=$work/node_modules/.bin/node
for line in 1 2; do python_with "$work/py$line" "requirements-$line.txt"; done
# ES modules find packages in a parent folder only.
rm -rf "$work/node" && cp -r node "$work/node"
"$node" --version

if [ ! -x "$fixtures" ]; then
  say "the conformance fixtures"
  (cd "$root" && cargo build --locked --example conformance_server)
fi

say "the service, as a demo"
start_demo "$binary" "$work/demo.log"
base=$url
ready() {
  python3 - "$base" <<'PY'
import json, sys, time, urllib.request
base, end = sys.argv[1], time.time() + 90
while time.time() < end:
    try:
        with urllib.request.urlopen(f"{base}/api/indexes", timeout=5) as answer:
            indexes = json.load(answer)["items"]
        done = lambda i: i["document_count"] > 0 and i["last_run"] and i["last_run"]["status"] in ("succeeded", "partial")
        if indexes and all(map(done, indexes)):
            print(f"{base}: {sum(i['document_count'] for i in indexes)} pages in {len(indexes)} indexes")
            sys.exit(0)
    except OSError:
        pass
    time.sleep(0.3)
sys.exit("the demo did not finish its first sync in time")
PY
}
ready || { tail -50 "$work/demo.log"; exit 1; }

say "TypeScript SDKs"
for package in sdk-129 sdk-1 @modelcontextprotocol/client; do
  for transport in sse http; do timeout 120 "$node" "$work/node/sdk.mjs" "$package" "$transport" "$base"; done
done

say "Python SDKs"
for line in 1 2; do
  for transport in sse http; do timeout 120 "$work/py$line/bin/python" python/client.py "$transport" "$base"; done
done

say "Inspector"
inspect() { timeout 60 "$node" "$work/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js" --cli "$@"; }
for way in "$base/mcp/sse --transport sse" "$base/mcp --transport http"; do
  # shellcheck disable=SC2086
  inspect $way --method tools/list | grep -q search_confluence
  # shellcheck disable=SC2086
  inspect $way --method tools/call --tool-name search_confluence --tool-arg query=release | grep -q page_id
  # shellcheck disable=SC2086
  if inspect $way --method tools/call --tool-name no_such_tool >/dev/null 2>&1; then echo "an unknown tool was no error"; exit 1; fi
  echo "ok   Inspector: $way"
done

say "LibreChat's schemas, and its models for what it stores"
export LIBRECHAT_LOG_DIR=$scratch
for part in librechat librechat-stored; do "$node" "$work/node/$part.mjs" "$base" "$root/config/librechat.yaml"; done

say "users of one LibreChat, each with what that user may read"
[ -x "$simulators" ] || (cd "$root" && cargo build --locked -p simulators --example serve)
start_simulators "$simulators" "$scratch/accounts" --people
start_service "$binary" "$scratch/accounts" "$work/people.log" the-key-of-the-client-tests
timeout 120 "$node" "$work/node/librechat-people.mjs" "$url" the-key-of-the-client-tests "$root/config/librechat.yaml" "$scratch/accounts" ||
  { tail -50 "$work/people.log"; exit 1; }

say "conformance, with the official fixtures behind our transports"
start "$work/fixtures.log" "$fixtures" 0
until_written "$pid" "$work/fixtures.log" http://
url=$(head -1 "$work/fixtures.log")
"$node" "$work/node_modules/conformance-01/dist/index.js" server --url "$url/mcp" | tail -40
"$node" "$work/node_modules/conformance-02/dist/index.js" server --url "$url/mcp" --requirements 2025-11-25 | tail -50
# All that counts has to pass. What does not, since it is an extension, are tasks: neither the fixtures nor the product have any.
"$node" "$work/node_modules/conformance-02/dist/index.js" server --url "$url/mcp" --requirements 2026-07-28 | tail -80

say "conformance, what needs no fixtures, on the product itself"
for scenario in server-initialize ping tools-list server-sse-multiple-streams dns-rebinding-protection resources-list prompts-list; do
  "$node" "$work/node_modules/conformance-01/dist/index.js" server --url "$base/mcp" --scenario "$scenario" | grep -E "^Passed|✗" | sed "s/^/$scenario: /"
done
for scenario in caching sep-2164-resource-not-found http-header-validation; do
  "$node" "$work/node_modules/conformance-02/dist/index.js" server --url "$base/mcp" --scenario "$scenario" | grep -E "^Passed|✗" | sed "s/^/$scenario: /"
done

say "done"
