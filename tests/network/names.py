"""A stop while a name is being looked up, and the name server says nothing."""

import signal
import socket
import subprocess
import sys
import time


BODY = b'{"name": "n", "agent_id": "a", "confluence_spaces": ["ENG"]}'
CREATE = (
    b"POST /api/indexes/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
)


def ask(address):
    """Asks for an index; whether there are such spaces the service has to ask Confluence."""
    for _ in range(300):
        try:
            connection = socket.create_connection(address, timeout=10)
            connection.sendall(CREATE)
            return connection
        except OSError:
            time.sleep(0.2)
    sys.exit("FAIL the service does not start")


def drain(server):
    server.setblocking(False)
    try:
        while True:
            server.recv(512)
    except BlockingIOError:
        server.settimeout(30)


def main(binary, folder):
    log = open(f"{folder}/log", "w")
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    server.settimeout(30)
    settings = {
        "CONFLUENCE_BASE_URL": "https://wiki.example.org",
        "CONFLUENCE_EMAIL": "nobody@example.org",
        "CONFLUENCE_API_TOKEN": "token-of-tests",
        "API_PORT": "8002",
        "PATH": "/usr/bin:/bin",
    }
    for command, code in (("serve", 0), ("doctor", 143)):
        # What the one before asked again meanwhile is nothing of this one's.
        drain(server)
        program = subprocess.Popen([binary, command], cwd=folder, env=settings, stdout=log, stderr=log)
        try:
            if command == "serve":
                asked = ask(("127.0.0.1", 8002))
            # It is looking.
            server.recv(512)
            began = time.monotonic()
            program.send_signal(signal.SIGTERM)
            ended = program.wait(timeout=60)
            took = time.monotonic() - began
        finally:
            program.kill()
        # The lookup itself takes 40 s (resolv.conf of this suite).
        held = ended == code and took < 20
        print(f"{'ok  ' if held else 'FAIL'} {command} ended with {ended} {took:.1f} s after it was told to")
        if not held:
            sys.exit(1)


main(*sys.argv[1:])
