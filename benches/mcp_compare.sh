#!/usr/bin/env bash
# MCP under load, ours and mcp-atlassian's on the same simulated Confluence, in one run; prints Markdown.
#
#   benches/mcp_compare.sh [OPTIONS of mcp_load compare]
#
# Builds an optimized program, installs the pinned peer from PyPI into the target folder (kept for the next time; another one is
# named by MCP_ATLASSIAN), and measures. Takes some two minutes after that; a quiet machine gives the better figures.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
peer=${MCP_ATLASSIAN:-$target/mcp-atlassian/bin/mcp-atlassian}
if [ ! -x "$peer" ]; then
  python3 -m venv "$target/mcp-atlassian"
  "$target/mcp-atlassian/bin/pip" install --quiet --disable-pip-version-check mcp-atlassian==0.23.1
fi
cargo build --profile bench --locked --bin mcp-confluence --example mcp_load
exec "$target/release/examples/mcp_load" compare --peer "$peer" "$@"
