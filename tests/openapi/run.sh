#!/usr/bin/env bash
# Schemathesis over `/openapi.json` of a running service, with the administrator's key and without: whatever is asked, no 5xx, no
# status that the document does not name, no answer that is not of its schema.
#
#   tests/openapi/run.sh [BINARY] [SERVE]
#       BINARY: mcp-confluence, SERVE: the simulators' example `serve`; by default the debug builds
#   SECONDS_WITH_KEY=75 SECONDS_WITHOUT=30 SEED=1 tests/openapi/run.sh
#
# Installs pinned packages into tests/openapi/.work (kept for the next time) and fails where anything fails. Needs python3.
set -euo pipefail
. "$(dirname "$0")/../programs.sh"
binary=$(realpath "${1:-$built/mcp-confluence}")
serve=$(realpath -m "${2:-$(dirname "$binary")/examples/serve}")
cd "$root/tests/openapi"
here=$PWD work=$PWD/.work
mkdir -p "$work"
python_with "$work/py" requirements.txt
[ -x "$serve" ] || (cd "$root" && cargo build --locked -p simulators --example serve)

start_simulators "$serve" "$scratch/accounts"
key=the-key-of-the-api-tests
start_service "$binary" "$scratch/accounts" "$work/service.log" "$key"
base=$url
service=$pid

# An index that has synced, and what its operations are asked about, so that they have something to answer.
"$work/py/bin/python" prepare.py "$base" "$key" >"$work/with-key.toml" || { tail -50 "$work/service.log"; exit 1; }

checks=named_status,not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance
check() {
  local name=$1 seconds=$2
  shift 2
  printf '\n-- %s\n' "$name"
  # Streams do not end, so they cannot be read as answers.
  "$work/py/bin/schemathesis" "$@" run "$base/openapi.json" --url "$base" --checks "$checks" --phases examples,coverage,fuzzing \
    --exclude-operation-id watch_events --exclude-operation-id watch_index_events --workers 2 --rate-limit 40/s \
    --max-time "$seconds" --seed "${SEED:-1}" --request-timeout 20 --suppress-health-check all --warnings off --no-color
}
cd "$work"
export SCHEMATHESIS_HOOKS=hooks PYTHONPATH=$here
check "with the key" "${SECONDS_WITH_KEY:-75}" --config-file "$work/with-key.toml"
check "without a key" "${SECONDS_WITHOUT:-30}"
kill -0 "$service" || { echo "the service ended"; exit 1; }
if grep -E 'ERROR|panicked' "$work/service.log"; then echo "the service logged errors"; exit 1; fi
