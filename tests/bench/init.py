"""What a start costs, from exec to the first `GET …/invocation/next`, with everything prefetched. See README.md."""

import argparse
import asyncio
import base64
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import fake

FUNCTIONS = ["token", "authorize", "callback", "passthrough", "connections", "connect", "admin", "keeper"]
FLOW_STEPS = FUNCTIONS[:4]
MOST_INSTRUCTIONS, MOST_RSS_MB = 2_500_000, 8.0
RISE = 1.10
TIMED_RUNS = 20
BASELINE = Path(__file__).with_name("baseline.json")


def most_mb(function):
    return 7.0 if function in FLOW_STEPS else 9.0


@dataclass
class Ran:
    """One run of a function, until it asked for an event and there was none."""

    init_ms: float
    rss_mb: float
    instructions: int | None
    answers: list
    connections: list  # to AWS so far, each time an event was asked for
    calls: list  # what AWS was asked for after the first of them


class World:
    """Everything around a function."""

    async def start(self):
        self.tables = fake.Tables()
        self.dynamodb = await fake.Server(self.tables.answer).start()
        self.secrets_manager = await fake.Server(fake.secrets_manager).start()
        self.provider = await fake.Server(fake.provider).start()
        self.aws = [self.dynamodb, self.secrets_manager]
        return self

    def environment(self, runtime, local=False):
        """As Lambda sets it. `local` lets the provider be on this machine; the function says so in its log."""
        return {
            **({"MOORING_EGRESS": "allow-loopback"} if local else {}),
            "PATH": "/usr/bin:/bin",
            "AWS_LAMBDA_RUNTIME_API": runtime,
            "AWS_LAMBDA_FUNCTION_NAME": "bench",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_LOG_GROUP_NAME": "bench",
            "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
            "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "ASIA0123456789ABCDEF",
            "AWS_SECRET_ACCESS_KEY": "0123456789abcdef0123456789abcdef01234567",
            "AWS_SESSION_TOKEN": "0123456789abcdef" * 50,  # as long as Lambda's are: it is hashed with each call
            "AWS_ENDPOINT_URL_DYNAMODB": f"http://{self.dynamodb.address}",
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": f"http://{self.secrets_manager.address}",
            "DEPLOYMENT_ID": "0123456789ab",
            **{f"TABLE_{table.upper()}": table for table in ("settings", "flows", "connections", "journal")},
            **{f"SECRET_{name.upper().replace('-', '_')}": name for name in fake.SECRETS},
            "SECRET_CLIENTS_PREFIX": "clients/",
        }

    async def seed(self, program):
        """Fills the tables by the code that fills them in a deployment."""
        command = [program, f"http://{self.provider.address}"]
        process = await asyncio.create_subprocess_exec(*command, env=self.environment(""), stdout=subprocess.PIPE)
        out, _ = await process.communicate()
        self.check(f"{program} ended with {process.returncode}" if process.returncode else None)
        self.seeded = json.loads(out)

    def check(self, also=None):
        failures = [failure for server in [*self.aws, self.provider] for failure in server.failures] + [also]
        if failures := [failure for failure in failures if failure]:
            sys.exit("\n".join(failures))

    async def run(self, program, events=(), counted=False, local=False):
        """Runs a function over these events. The count of instructions ends where it waits for one more."""
        for _ in range(10):
            ran, log = await self.run_once(program, events, counted, local)
            if "took longer than a second" not in log:  # the prefetch: this machine was busy
                break
        complaints = [line for line in log.split("\n") if line and '"level":"INFO"' not in line and "local mode" not in line]
        self.check(f"{program.name} says: {complaints}" if complaints else None)
        return ran

    async def run_once(self, program, events, counted, local):
        runtime = fake.Runtime(events, deadline_ms=int(time.time() * 1000) + 600_000)
        server = await fake.Server(runtime.answer).start()
        connections, calls = [], []
        before = [server.connections for server in self.aws]
        with tempfile.NamedTemporaryFile() as counts, tempfile.TemporaryFile("w+") as log:
            valgrind = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={counts.name}"] if counted else []
            environment = self.environment(server.address, local)
            began = time.perf_counter()
            process = subprocess.Popen([*valgrind, program], env=environment, stdout=log, stderr=log)
            try:
                for turn in range(len(events) + 1):
                    asked = await self.asked(runtime, process, log, server)
                    connections.append([server.connections - b for server, b in zip(self.aws, before)])
                    if turn == 0:
                        ended, rss, calls = asked, high_water_mark(process.pid), [len(server.requests) for server in self.aws]
                await settled(process.pid)
            finally:
                process.send_signal(signal.SIGTERM if counted else signal.SIGKILL)
                process.wait()
                runtime.over.set()
                server.server.close()
            self.check("\n".join(server.failures))
            instructions = int(re.search(r"^(?:summary|totals): (\d+)", Path(counts.name).read_text(), re.M)[1]) if counted else None
            log.seek(0)
            made = [call for server, since in zip(self.aws, calls) for call in server.requests[since:]]
            return Ran((ended - began) * 1000, rss, instructions, runtime.answers, connections, made), log.read()

    async def asked(self, runtime, process, log, server):
        for _ in range(600):
            try:
                return await asyncio.wait_for(runtime.asked.get(), 0.1)
            except TimeoutError:
                if process.poll() is not None or server.failures:
                    break
        log.seek(0)
        self.check(f"{process.args[-1]} asked for no event: {server.failures or log.read()}")

    def event(self, function):
        """A request as the REST API hands it on, and how its answer is read."""
        seeded = self.seeded
        match function:
            case "token":
                pair = base64.b64encode(f"{seeded['client_id']}:{seeded['client_secret']}".encode()).decode()
                headers = {"Authorization": f"Basic {pair}", "Content-Type": "application/x-www-form-urlencoded"}
                return rest_event("POST", "/oauth2/token", headers, "grant_type=client_credentials"), fake.buffered
            case "passthrough":
                headers = {"Authorization": f"Bearer {seeded['secret_key']}", "X-One-Connection-Key": seeded["connection"]}
                return rest_event("GET", "/v1/passthrough/bench/me", headers, None), fake.streamed


def rest_event(method, path, headers, body):
    """Payload format 1.0, with what the gateway and a browser put in."""
    headers = {
        "Accept": "*/*",
        "Host": "0123456789.execute-api.eu-central-1.amazonaws.com",
        "User-Agent": "bench",
        "X-Amzn-Trace-Id": "Root=1-00000000-000000000000000000000000",
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
        **headers,
    }
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "requestId": "00000000-0000-0000-0000-000000000000",
            "stage": "prod",
            "path": f"/prod{path}",
            "domainName": headers["Host"],
            "httpMethod": method,
            "identity": {"sourceIp": "192.0.2.1"},
        },
        "body": body,
        "isBase64Encoded": False,
    }


def high_water_mark(pid):
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


async def settled(pid):
    """Returns when a process has done nothing for a tenth of a second: what it still did after asking counts too."""
    before = None
    while True:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        now = (fields[0], fields[11], fields[12])  # state, user time, system time
        if fields[0] in "SZ" and now == before:
            return
        before = now
        await asyncio.sleep(0.1)


def machine():
    """Instruction counts hold for a CPU's features, a C library and a compiler: libraries choose code by them."""
    cpu = Path("/proc/cpuinfo").read_text()

    def said(name):
        return (re.search(rf"^{name}\s*: (.*)$", cpu, re.M) or ["", "unknown"])[1]

    def first_line(*command):
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")[0]

    flags = " ".join(sorted(said("flags" if "\nflags" in cpu else "Features").split()))
    return {
        "cpu": said("model name"),
        "cpu_flags_sha256": hashlib.sha256(flags.encode()).hexdigest()[:16],
        "rustc": first_line("rustc", "--version"),
        "valgrind": first_line("valgrind", "--version"),
        "libc": os.confstr("CS_GNU_LIBC_VERSION"),
    }


async def measure(programs, seed):
    """{function: figures}, and what the requests cost."""
    world = await World().start()
    await world.seed(seed)
    starts, requests = {}, {}
    for function, program in programs.items():
        counted = await world.run(program, counted=True)
        timed = [await world.run(program) for _ in range(TIMED_RUNS)]
        ran = min(timed, key=lambda ran: ran.init_ms)
        starts[function] = {
            "mb": program.stat().st_size / 1e6,
            "init_ms": ran.init_ms,
            "rss_mb": max(ran.rss_mb for ran in timed),
            "instructions": counted.instructions,
            "connections": counted.connections[0],
        }
        print(".", end="", file=sys.stderr, flush=True)
    for function in [name for name in ("token", "passthrough") if name in programs]:
        event, read = world.event(function)
        none, one, two = [await world.run(programs[function], [event] * count, counted=True, local=True) for count in (0, 1, 2)]
        for answer in two.answers:
            status, body = read(answer)
            expected = status == 200 and (body == fake.PROVIDER_ANSWER if function == "passthrough" else b"access_token" in body)
            world.check(None if expected else f"{function} answered {status}: {body!r}")
        before, after = one.connections
        requests[function] = {
            "first": one.instructions - none.instructions,
            "warm": two.instructions - one.instructions,
            "new_connections": [b - a for a, b in zip(before, after)],
            "calls": one.calls,
            "warm_calls": two.calls[len(one.calls) :],
        }
    print(file=sys.stderr)
    return starts, requests


def table(starts):
    """Prints the figures; returns which functions are over budget."""
    hello = starts["hello"]["instructions"]
    over = []
    row = "{:<12}{:>7}{:>9}{:>9}{:>19}{:>9}{:>17}{:>20}  {}".format
    print(row("function", "MB", "init ms", "RSS MB", "init instructions", "× hello", "AWS connections", "budget M/MB/RSS MB", "ok"))
    for name, start in starts.items():
        ours = name != "hello"
        fits = (
            start["instructions"] <= MOST_INSTRUCTIONS
            and start["rss_mb"] <= MOST_RSS_MB
            and start["mb"] <= most_mb(name)
        )
        if ours and not fits:
            over.append(name)
        print(row(
            name,
            f"{start['mb']:.2f}",
            f"{start['init_ms']:.2f}",
            f"{start['rss_mb']:.1f}",
            f"{start['instructions']:,}",
            f"{start['instructions'] / hello:.2f}",
            " + ".join(map(str, start["connections"])) if ours else "",
            f"{MOST_INSTRUCTIONS / 1e6} / {most_mb(name):.0f} / {MOST_RSS_MB:.0f}" if ours else "",
            ("yes" if fits else "NO") if ours else "",
        ))
    return over


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run init", description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if a count is more than 10 %% above the baseline's")
    parser.add_argument("--update", action="store_true", help="write the baseline")
    parser.add_argument("--binaries", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("functions", nargs="*", help="only these; all if none is named")
    arguments = parser.parse_args()
    if unknown := set(arguments.functions) - set(FUNCTIONS):
        parser.error(f"no such function: {', '.join(sorted(unknown))}")
    names = [name for name in FUNCTIONS if name in (arguments.functions or FUNCTIONS)]
    programs = {name: arguments.binaries / name for name in ["hello", *names]}
    here = machine()
    starts, requests = asyncio.run(measure(programs, arguments.seed))
    over = table(starts)
    for name, request in requests.items():
        print(
            f"{name}: {request['first']:,} instructions for the first request ({', '.join(request['calls'])}), "
            f"{request['warm']:,} for the next ({', '.join(request['warm_calls']) or 'no call'}); "
            f"new connections to AWS in the first: {sum(request['new_connections'])}"
        )
    # a budget that is missed stands in the table; the gate is the baseline, so that a miss that is known hides no rise
    for name in over:
        print(f"over budget: {name}")
    failed = [f"{name} opens a connection to AWS within the first request" for name, r in requests.items() if any(r["new_connections"])]

    baseline = json.loads(BASELINE.read_text()) if BASELINE.exists() else {"init": {}, "machine": here}
    if arguments.check:
        if baseline["machine"] != here:
            print(f"note: the baseline is from another machine or compiler: {baseline['machine']}, here {here}")
        for name, start in starts.items():
            before = baseline["init"].get(name)
            if before is None:
                failed.append(f"{name} has no baseline: --update")
            elif start["instructions"] > before * RISE:
                failed.append(f"{name}: {start['instructions']:,} instructions, {start['instructions'] / before - 1:.1%} above the baseline's {before:,}")
    if arguments.update:
        baseline |= {
            "machine": here,
            "init": baseline["init"] | {name: start["instructions"] for name, start in starts.items()},
            "requests": baseline.get("requests", {}) | {n: {"first": r["first"], "warm": r["warm"]} for n, r in requests.items()},
        }
        BASELINE.write_text(json.dumps(baseline, indent=2) + "\n")
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()
