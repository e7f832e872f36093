"""Users who connect, call, idle and vanish without a word: python soak.py URL PID MINUTES

Forty of them over both MCP transports, on loopback only. Prints the memory of the service once in a while, and fails where it grows
or where a call fails. Ends by itself.
"""
import http.client, json, random, statistics, sys, threading, time
from urllib.parse import urljoin, urlparse

URL, PID, MINUTES = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
USERS = 40
# What may be gained from the second quarter of the time to the last: sessions are remembered, up to a bound, and allocators round up.
GROWTH, SLACK_MB = 1.10, 12
where = urlparse(URL)
assert where.hostname in ("127.0.0.1", "localhost", "::1"), "loopback only"
end = time.monotonic() + 60 * MINUTES
counts, faults, lock = {"sessions": 0, "calls": 0, "vanished": 0}, [], threading.Lock()
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "soak", "version": "1"}}


def count(what):
    with lock:
        counts[what] += 1


def connection():
    return http.client.HTTPConnection(where.hostname, where.port, timeout=60)


def events(response):
    """(name, data) of each event of a stream."""
    name, data = "message", []
    while line := response.readline():
        line = line.decode().rstrip("\r\n")
        if line.startswith("event:"):
            name = line[6:].strip()
        elif line.startswith("data:"):
            data.append(line[5:].strip())
        elif not line and data:
            yield name, "\n".join(data)
            name, data = "message", []
    raise ConnectionError("the stream ended")


def answer(response, number):
    for _, data in events(response):
        if data and json.loads(data).get("id") == number:
            return json.loads(data)


class Streamable:
    def __init__(self):
        self.session, self.stream = None, None
        self.ask(0, "initialize", HELLO)
        self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})[1].close()
        self.stream = connection()
        self.stream.request("GET", "/mcp", headers={"accept": "text/event-stream", "mcp-session-id": self.session})
        self.response = self.stream.getresponse()

    def post(self, message):
        link = connection()
        headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        if self.session:
            headers |= {"mcp-session-id": self.session, "mcp-protocol-version": "2025-11-25"}
        link.request("POST", "/mcp", json.dumps(message), headers)
        response = link.getresponse()
        if response.status not in (200, 202):
            raise ConnectionError(f"{message['method']}: {response.status} {response.read()[:200]}")
        self.session = self.session or response.getheader("mcp-session-id")
        return response, link

    def ask(self, number, method, params):
        response, link = self.post({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        try:
            return answer(response, number)
        finally:
            link.close()

    def vanish(self):
        if self.stream:
            self.stream.close()
            self.response.close()


class Sse:
    def __init__(self):
        self.stream = connection()
        self.stream.request("GET", "/mcp/sse", headers={"accept": "text/event-stream"})
        self.response = self.stream.getresponse()
        name, data = next(events(self.response))
        assert name == "endpoint", name
        self.endpoint = urlparse(urljoin(URL + "/mcp/sse", data))
        self.ask(0, "initialize", HELLO)

    def ask(self, number, method, params):
        link = connection()
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        path = f"{self.endpoint.path}?{self.endpoint.query}"
        link.request("POST", path, json.dumps(message), {"content-type": "application/json"})
        status = link.getresponse().status
        link.close()
        if status != 202:
            raise ConnectionError(f"{method}: {status}")
        return answer(self.response, number)

    def vanish(self):
        self.stream.close()
        self.response.close()


def user(seed):
    luck = random.Random(seed)
    while time.monotonic() < end:
        client = None
        try:
            client = luck.choice([Streamable, Sse])()
            count("sessions")
            for number in range(1, luck.randint(2, 6)):
                tool, arguments = luck.choice([
                    ("search_confluence", {"query": luck.choice(["release", "roll back", "vpn", "on call", "holiday"])}),
                    ("list_spaces", {}),
                    ("recent_changes", {"since": "7d"}),
                ])
                told = client.ask(number, "tools/call", {"name": tool, "arguments": arguments})
                if "result" not in told or told["result"].get("isError"):
                    raise ValueError(f"{tool}: {json.dumps(told)[:300]}")
                count("calls")
                time.sleep(luck.uniform(0.05, 1.0))
            # Idle for a while, with the stream open; then gone, without DELETE.
            time.sleep(min(luck.uniform(0, 15), max(0, end - time.monotonic())))
            count("vanished")
        except Exception as error:  # whatever it is, it is counted and told at the end
            with lock:
                faults.append(f"{type(error).__name__}: {error}")
            time.sleep(1)
        finally:
            if client:
                client.vanish()


def memory():
    try:
        with open(f"/proc/{PID}/status") as status:
            found = dict(line.split(":", 1) for line in status)
    except FileNotFoundError:
        sys.exit("the service is gone")
    return int(found["VmRSS"].split()[0]) / 1024, int(found["Threads"]), len(__import__("os").listdir(f"/proc/{PID}/fd"))


threads = [threading.Thread(target=user, args=(seed,), daemon=True) for seed in range(USERS)]
for thread in threads:
    thread.start()
began, seen, told = time.monotonic(), [], 0.0
while time.monotonic() < end:
    rss, threads_now, files = memory()
    seen.append((time.monotonic() - began, rss))
    if time.monotonic() - told >= max(10, MINUTES * 60 / 30):
        told = time.monotonic()
        with lock:
            print(f"{seen[-1][0]:6.0f} s  {rss:7.1f} MB  {files:5} descriptors  {counts}  {len(faults)} faults", flush=True)
    time.sleep(2)
for thread in threads:
    thread.join(timeout=70)
second = statistics.median([rss for at, rss in seen if 0.25 <= at / (60 * MINUTES) < 0.5])
last = statistics.median([rss for at, rss in seen if at / (60 * MINUTES) >= 0.75])
print(f"memory: {second:.1f} MB in the second quarter, {last:.1f} MB in the last; {counts}")
for fault in faults[:10]:
    print("FAIL", fault)
if faults:
    sys.exit(f"{len(faults)} faults")
if last > second * GROWTH + SLACK_MB:
    sys.exit("the memory grows")
print("ok   memory is flat, and every call was answered")
