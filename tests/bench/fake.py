"""What a function meets when it runs: the Lambda runtime API, DynamoDB, Secrets Manager and a provider, on loopback.

Plain HTTP/1.1 with connections kept open, as much of each protocol as the functions speak, and a count of what was asked.
"""

import asyncio
import json
import re
import time

SECRETS = {
    "ring-seed": "a ring seed of the benchmark: 0123456789abcdef",
    "ring-versions": "{}",
    "signing-seed": "a signing seed of the benchmark: 0123456789abcdef",
    "root-key": "a root key of the benchmark: 0123456789abcdef",
}

# Begins with the framing's own separator and holds every byte.
PROVIDER_ANSWER = bytes(8) + bytes(range(256)) * 4


class Malformed(Exception):
    """Somebody broke a protocol."""


async def read_head(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {}
    for line in head[1:-2]:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return head[0], headers


async def read_chunked(reader):
    """RFC 9112 §7.1, to the byte; the trailers come too."""
    body = b""
    while True:
        size = await reader.readuntil(b"\r\n")
        if not re.fullmatch(rb"[0-9A-Fa-f]+\r\n", size):
            raise Malformed(f"a chunk begins with {size!r}")
        length = int(size, 16)
        if length == 0:
            break
        body += await reader.readexactly(length)
        if await reader.readexactly(2) != b"\r\n":
            raise Malformed("a chunk is longer than it says")
    trailers = {}
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        name, _, value = line.decode("latin-1").partition(":")
        trailers[name.lower()] = value.strip()
    return body, trailers


class Server:
    """A listener, how many connections it saw, what it was asked, and what went wrong."""

    def __init__(self, answer):
        self.answer, self.connections, self.requests, self.failures = answer, 0, [], []

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.address = "127.0.0.1:%d" % self.server.sockets[0].getsockname()[1]
        return self

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            while True:
                line, headers = await read_head(reader)
                method, target, _ = line.split(" ")
                trailers = {}
                if headers.get("transfer-encoding") == "chunked":
                    body, trailers = await read_chunked(reader)
                else:
                    body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.requests.append(headers.get("x-amz-target", "").partition(".")[2] or target)
                status, fields, answer = await self.answer(method, target, headers, body, trailers)
                lines = [f"HTTP/1.1 {status} X", *(f"{n}: {v}" for n, v in fields.items()), f"content-length: {len(answer)}"]
                writer.write("\r\n".join([*lines, "", ""]).encode() + answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the other side has gone
        except asyncio.CancelledError:
            pass  # we stop
        except (Malformed, KeyError, ValueError) as error:
            self.failures.append(repr(error))
        finally:
            writer.close()


class Tables:
    """DynamoDB: items by table and key, and the few calls that reach it here. Conditions always hold."""

    def __init__(self):
        self.items = {}

    @staticmethod
    def place(table, attributes):
        return (table, attributes["pk"]["S"], attributes.get("sk", {}).get("S"))

    def put(self, put):
        self.items[self.place(put["TableName"], put["Item"])] = put["Item"]

    async def answer(self, method, target, headers, body, trailers):
        if method == "GET":
            return 200, {}, b"healthy: dynamodb"
        operation = headers["x-amz-target"].partition(".")[2]
        return 200, {"content-type": "application/x-amz-json-1.0"}, json.dumps(self.call(operation, json.loads(body))).encode()

    def call(self, operation, call):
        match operation:
            case "BatchGetItem":
                wanted = [(table, keys["Keys"]) for table, keys in call["RequestItems"].items()]
                found = {table: [self.items.get(self.place(table, key)) for key in keys] for table, keys in wanted}
                return {"Responses": {table: [i for i in items if i] for table, items in found.items()}, "UnprocessedKeys": {}}
            case "GetItem":
                item = self.items.get(self.place(call["TableName"], call["Key"]))
                return {"Item": item} if item else {}
            case "PutItem":
                self.put(call)
                return {}
            case "TransactWriteItems":
                for write in call["TransactItems"]:
                    self.put(write["Put"])
                return {}
            case "UpdateItem":
                item = self.items.setdefault(self.place(call["TableName"], call["Key"]), dict(call["Key"]))
                (name,), (value,) = call["ExpressionAttributeNames"].values(), call["ExpressionAttributeValues"].values()
                if "if_not_exists" not in call["UpdateExpression"] or name not in item:
                    item[name] = value
                return {"Attributes": item}
        raise Malformed(f"DynamoDB is not asked for {operation} here")


async def secrets_manager(method, target, headers, body, trailers):
    if headers["x-amz-target"] != "secretsmanager.GetSecretValue":
        raise Malformed(f"Secrets Manager is not asked for {headers['x-amz-target']} here")
    name = json.loads(body)["SecretId"]
    value = {"ARN": name, "Name": name, "VersionId": "1", "SecretString": SECRETS[name], "VersionStages": ["AWSCURRENT"]}
    return 200, {"content-type": "application/x-amz-json-1.1"}, json.dumps(value).encode()


async def provider(method, target, headers, body, trailers):
    if headers.get("authorization") != "Bearer key":
        return 401, {}, b""
    return 200, {"content-type": "application/octet-stream"}, PROVIDER_ANSWER


class Runtime:
    """The Lambda runtime API: hands out events one by one, keeps the answers, and tells each time one is asked for."""

    ANSWER = re.compile(r"/2018-06-01/runtime/invocation/(\d+)/response")

    def __init__(self, events, deadline_ms):
        self.events, self.deadline_ms = events, deadline_ms
        self.given, self.answers, self.asked, self.over = 0, [], asyncio.Queue(), asyncio.Event()

    async def answer(self, method, target, headers, body, trailers):
        if target == "/2018-06-01/runtime/invocation/next":
            self.asked.put_nowait(time.perf_counter())
            if self.given == len(self.events):
                await self.over.wait()
                raise ConnectionError("there is no further event")
            self.given += 1
            context = {
                "lambda-runtime-aws-request-id": str(self.given),
                "lambda-runtime-deadline-ms": str(self.deadline_ms),
                "lambda-runtime-invoked-function-arn": "arn:aws:lambda:eu-central-1:123456789012:function:bench",
                "content-type": "application/json",
            }
            return 200, context, json.dumps(self.events[self.given - 1]).encode()
        if method == "POST" and (match := self.ANSWER.fullmatch(target)) and int(match[1]) == self.given:
            self.answers.append((headers, body, trailers))
            return 202, {}, b""
        raise Malformed(f"the runtime API got {method} {target}: {body!r}")


def buffered(answer):
    """The status and body of a whole answer (payload format 1.0)."""
    headers, body, _ = answer
    if "lambda-runtime-function-response-mode" in headers:
        raise Malformed("a whole answer is announced as a stream")
    answer = json.loads(body)
    return answer["statusCode"], answer["body"].encode()


def streamed(answer):
    """The status and body of a streamed answer: a prelude of JSON, eight NULs, and the body as it is."""
    headers, framed, trailers = answer
    announced = {
        "lambda-runtime-function-response-mode": "streaming",
        "transfer-encoding": "chunked",
        "content-type": "application/vnd.awslambda.http-integration-response",
    }
    for name, value in announced.items():
        if headers.get(name) != value:
            raise Malformed(f"{name} is {headers.get(name)!r}, not {value!r}")
    if failed := {name for name in trailers if name.startswith("lambda-runtime-function-error")}:
        raise Malformed(f"the stream ended in an error: {failed}")
    end = framed.find(b"\0")  # JSON holds no NUL
    if end < 0 or framed[end : end + 8] != bytes(8):
        raise Malformed("no eight NULs follow the prelude")
    prelude = json.loads(framed[:end])
    if not isinstance(prelude.get("statusCode"), int) or prelude.keys() - {"statusCode", "headers", "cookies"}:
        raise Malformed(f"the prelude is {prelude}")
    if not all(isinstance(value, str) for value in prelude.get("headers", {}).values()):
        raise Malformed("the prelude has a header that is not one text")
    return prelude["statusCode"], framed[end + 8 :]
