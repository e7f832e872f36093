"""Opens connections from several addresses until they are refused, and says what each peer got."""

import re
import socket
import subprocess
import sys
import time

EACH = 2_048
SERVER = ("198.51.100.1", 8001)
GREEDY, ANOTHER, PROXY = "198.51.100.2", "198.51.100.3", "198.51.100.4"
HEAD = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
SETTINGS = {
    "API_HOST": SERVER[0],
    "API_PORT": str(SERVER[1]),
    "API_KEY": "administrator-key-of-tests",
    "TRUSTED_PROXIES": PROXY,
    "CONFLUENCE_BASE_URL": "http://127.0.0.1:9",
    "CONFLUENCE_EMAIL": "nobody@example.org",
    "CONFLUENCE_API_TOKEN": "token-of-tests",
    "PATH": "/usr/bin:/bin",
}


def connect(peer):
    return socket.create_connection(SERVER, timeout=10, source_address=(peer, 0))


def answered(connection):
    """Whether the connection is answered; one beyond the share is closed or reset instead."""
    try:
        connection.sendall(HEAD)
        return connection.recv(4096).startswith(b"HTTP/1.1 200")
    except (ConnectionError, BrokenPipeError):
        return False


def open_many(peer, count):
    """Opens so many connections and asks once over each; those that were answered."""
    live = []
    for _ in range(count):
        connection = connect(peer)
        if answered(connection):
            live.append(connection)
        else:
            connection.close()
    return live


def closed(connection):
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def expect(what, true):
    print(("ok   " if true else "FAIL ") + what)
    if not true:
        sys.exit(1)


def main(binary, folder):
    log = open(f"{folder}/service.log", "w+")
    service = subprocess.Popen([binary], cwd=folder, env=SETTINGS, stdout=log, stderr=log)
    try:
        for _ in range(300):
            try:
                connect(ANOTHER).close()
                break
            except OSError:
                if service.poll() is not None:
                    break
                time.sleep(0.2)
        else:
            service.kill()
        if service.poll() is not None:
            print(open(f"{folder}/service.log").read())
            sys.exit("FAIL the service does not start")

        greedy = open_many(GREEDY, EACH + 100)
        expect(f"one peer has {EACH} connections and no more: {len(greedy)}", len(greedy) == EACH)
        expect("those that it has live on", not any(closed(connection) for connection in greedy))
        expect("another peer is answered meanwhile", answered(connect(ANOTHER)))
        with socket.create_connection(SERVER, timeout=10, source_address=(ANOTHER, 0)) as asked:
            asked.sendall(
                b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                b"Authorization: Bearer administrator-key-of-tests\r\n\r\n"
            )
            text = b"".join(iter(lambda: asked.recv(65536), b"")).decode()
        counted = re.search(r'mcp_confluence_refused_total\{[^}]*connections[^}]*\} (\d+)', text)
        expect("the metric counts those that were refused", counted and int(counted[1]) == 100)

        for connection in greedy[:10]:
            connection.close()
        # The service learns of it when it reads from them.
        deadline = time.monotonic() + 10
        free = []
        while len(free) < 10 and time.monotonic() < deadline:
            free += open_many(GREEDY, 10 - len(free))
        expect("what is closed is free again", len(free) == 10)
        proxy = open_many(PROXY, EACH + 100)
        expect(f"a proxy that was named has no share: {len(proxy)}", len(proxy) == EACH + 100)
    finally:
        service.terminate()
        service.wait(timeout=30)


main(*sys.argv[1:])
