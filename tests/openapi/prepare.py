"""Waits for the service, makes an index, waits for its first run, and prints a configuration of Schemathesis that names
them: ids made up at random would only ever be answered 404."""

import json
import sys
import time
import urllib.request

BASE, KEY = sys.argv[1:3]


def ask(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{BASE}{path}", data, headers, method=method)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def wait(look):
    end = time.time() + 90
    while time.time() < end:
        try:
            if found := look():
                return found
        except OSError:
            pass
        time.sleep(0.2)
    sys.exit("the service was not ready in time")


wait(lambda: ask("GET", "/health/ready"))
index = ask("POST", "/api/indexes/", {"name": "Checked", "agent_id": "checked", "confluence_spaces": ["ENG"], "backend": "local"})


def synced():
    now = ask("GET", f"/api/indexes/{index['id']}")
    return now if now["last_run"] and now["last_run"]["finished_at"] else None


index = wait(synced)
page = ask("GET", f"/api/indexes/{index['id']}/pages?limit=1")["items"][0]
# One to change: what the others are asked about has to stay, so nothing that removes is told of either.
other = ask("POST", "/api/indexes/", {"name": "Changed", "agent_id": "changed", "confluence_spaces": ["OPS"], "backend": "local"})
own, run = {"path.id": index["id"]}, {"path.id": index["last_run"]["id"]}
agent, paged = {"path.agent_id": index["agent_id"]}, own | {"path.page_id": page["id"]}
about = {
    **dict.fromkeys(["get_index", "list_pages", "list_tokens", "create_token", "sync_index"], own),
    **dict.fromkeys(["get_indexed_page", "retry_page"], paged),
    **dict.fromkeys(["get_index_by_agent", "sync_agent", "query_index"], agent),
    **dict.fromkeys(["get_run", "cancel_run", "confirm_run"], run),
    "change_index": {"path.id": other["id"]},
}
known = {operation["operationId"] for path in ask("GET", "/openapi.json")["paths"].values() for operation in path.values()}
if missing := about.keys() - known:
    sys.exit(f"operations that the document does not name: {sorted(missing)}")
print(f'headers = {{ Authorization = "Bearer {KEY}" }}')
for operation, values in about.items():
    pairs = ", ".join(f'"{name}" = {json.dumps(value)}' for name, value in values.items())
    print(f'\n[[operations]]\ninclude-operation-id = "{operation}"\nparameters = {{ {pairs} }}')
