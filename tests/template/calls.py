"""Which AWS calls each function makes, read from the Rust sources.

The store is the only code that holds a DynamoDB client, `secrets.rs` the only one with a Secrets Manager client (a test
below holds that). From each function's crate this follows `app.<aggregate>.<method>(…)`, `app.<flow step>(…)` and what those
call in turn, down to the SDK. What a called method may do counts as done: IAM has no finer grain.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

# The fields of `App` that lead to AWS, and the type and table behind each.
AGGREGATES = {
    "settings": ("Settings", "settings"),
    "links": ("Links", "flows"),
    "attempts": ("Attempts", "flows"),
    "codes": ("Codes", "flows"),
    "connections": ("Connections", "connections"),
    "journal": ("Journal", "journal"),
    "secrets": ("Secrets", None),
}
TABLE_OF = {kind: table for kind, table in AGGREGATES.values()}
IN_TRANSACTION = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem", "Get": "GetItem"}
FUNCTIONS = ["token", "authorize", "callback", "passthrough", "connections", "connect", "admin", "keeper"]


class Unreadable(Exception):
    """The source has a form that this reader does not follow: teach it, or write the code plainly."""


LITERAL = re.compile(
    r'(?P<comment>//[^\n]*|/\*.*?\*/)|b?r(?P<hash>#*)".*?"(?P=hash)|b?"(?:\\.|[^"\\])*"|b?\'(?:\\[^\n]*?|[^\'\\\n])\'', re.S
)


def blanked(text, literals=True):
    """The text with comments, and the insides of literals if wished, made blank: every other character keeps its place."""

    def blank(match):
        if match.group("comment") is not None:
            return re.sub(r"[^\n]", " ", match.group())
        return re.sub(r"[^\n\"']", " ", match.group()) if literals else match.group()

    return LITERAL.sub(blank, text)


def closing(masked, opening):
    """Where the brace that opens here is closed."""
    depth = 0
    for i in range(opening, len(masked)):
        depth += {"{": 1, "}": -1}.get(masked[i], 0)
        if depth == 0:
            return i
    raise Unreadable("unbalanced braces")


def pascal(name):
    return "".join(part.capitalize() for part in name.split("_"))


@dataclass
class Function:
    """A Rust function: where it stands, what it belongs to, its text."""

    file: Path
    owner: str | None
    name: str
    head: str
    body: str

    @property
    def key(self):
        return (self.owner or str(self.file), self.name)


def functions_of(file):
    text = file.read_text().split("#[cfg(test)]\nmod tests")[0]
    masked, readable = blanked(text), blanked(text, literals=False)
    owners = []
    for match in re.finditer(r"^[ \t]*impl\b(?:<[^>{]*>)?\s+(?:[\w:<>'&, ]+?\s+for\s+)?(\w+)[^{;]*\{", masked, re.M):
        owners.append((match.end() - 1, closing(masked, match.end() - 1), match.group(1)))
    found = []
    for match in re.finditer(r"\bfn\s+(\w+)", masked):
        depth, i = 0, match.end()
        while not (depth == 0 and masked[i] in "{;"):
            depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(masked[i], 0)
            i += 1
        if masked[i] == ";":
            continue  # a trait's declaration
        inside = [owner for start, stop, owner in owners if start < match.start() < stop]
        body = readable[i : closing(masked, i)]
        found.append(Function(file, inside[-1] if inside else None, match.group(1), masked[match.start() : i], body))
    return found


def holds_a_client(file):
    return "store" in file.parts[-3:-1] or file.name == "secrets.rs"


@dataclass
class Sources:
    """The Rust code below a root: the shared crate as a graph, and each function's crate."""

    root: Path
    graph: dict = field(default_factory=dict)
    ahead: dict = field(default_factory=dict)

    def __post_init__(self):
        for file in sorted((self.root / "shared/src").rglob("*.rs")):
            for function in functions_of(file):
                self.graph.setdefault(function.key, []).append(function)
        self.by_type = {}
        for (owner, name), functions in self.graph.items():
            self.by_type.setdefault(owner, {})[name] = functions
        for function in self.graph.get(("App", "prefetch"), []):
            self.ahead |= dict(re.findall(r"Ahead::(\w+)\)\s*\{\s*self\.(\w+)\(", function.body))

    def calls(self, function):
        """The functions of the shared crate that this one calls, and the calls to AWS that it makes itself."""
        body, called, made = function.body, set(), set()
        for name, method in re.findall(r"\b(%s)\s*\.\s*(\w+)\s*\(" % "|".join(AGGREGATES), body):
            kind = AGGREGATES[name][0]
            if (kind, method) == ("Secrets", "text"):
                continue
            if (kind, method) in self.graph:
                called.add((kind, method))
        for argument in re.findall(r"\bsecrets\s*\.\s*text\(([^)]*)\)", body):
            secret = re.fullmatch(r"\s*&\s*(?:[\w]+\.)+(\w+)\s*", argument)
            if not secret:
                raise Unreadable(f"{function.file}: secrets.text({argument}) names no field of SecretNames")
            made.add(("secretsmanager:GetSecretValue", f"secret:{secret.group(1)}"))
        if function.owner:
            for method in re.findall(r"\bself\s*\.\s*(\w+)\s*\(", body) + re.findall(r"\bSelf::(\w+)\s*\(", body):
                if (function.owner, method) in self.graph:
                    called.add((function.owner, method))
        for method in re.findall(r"\bapp\s*\.\s*(\w+)\s*\(", body):
            if ("App", method) in self.graph:
                called.add(("App", method))
        for kind, method in re.findall(r"\b([A-Z]\w+)::(\w+)\s*\(", body):
            if (kind, method) in self.graph:
                called.add((kind, method))
        for name in re.findall(r"(?<![.\w:])(\w+)\s*\(", body):
            if (str(function.file), name) in self.graph:
                called.add((str(function.file), name))
        for module, name in re.findall(r"\b(\w+)::(\w+)\s*\(", body):
            called |= {k for k in self.graph if k[1] == name and Path(k[0]).stem == module and k[0].endswith(".rs")}
        if function.key == ("App", "prefetch"):
            called -= {("App", method) for method in self.ahead.values()}
        return called, made | self.sdk_calls(function)

    def sdk_calls(self, function):
        made = set()
        if not holds_a_client(function.file):
            return made
        table = TABLE_OF.get(function.owner or function.file.stem.capitalize(), "")
        for call in re.findall(r"\bclient\s*\.\s*(\w+)\s*\(\s*\)", function.body):
            action = pascal(call)
            if function.owner == "Secrets":
                made.add((f"secretsmanager:{action}", "secret:clients"))
            elif action == "TransactWriteItems":
                pass  # IAM asks for the single writes
            elif not table:
                raise Unreadable(f"{function.file}: {call} on an unknown table")
            elif "index_name(" in function.body:
                if "index: &str" not in " ".join(function.head.split()):
                    raise Unreadable(f"{function.file}: {function.name} asks an index that its caller does not name")
            else:
                made.add((f"dynamodb:{action}", table))
        for write, name in re.findall(r"\b(\w+)::builder\(\)\s*\.\s*table_name\(\s*&\s*([^)]*)\)", function.body):
            if write in IN_TRANSACTION:
                other = re.match(r"(\w+)\s*\.\s*table\(", name)
                target = AGGREGATES[other.group(1)][1] if other else table
                if not target:
                    raise Unreadable(f"{function.file}: {write} into an unknown table")
                made.add((f"dynamodb:{IN_TRANSACTION[write]}", target))
        # an index is named by a literal where the wish for it is born
        for method, first in re.findall(r"\bself\s*\.\s*(query|listed)\(\s*([^,)]+)", function.body):
            callee = self.by_type.get(function.owner, {}).get(method, [])
            if any("index: &str" in " ".join(f.head.split()) for f in callee):
                if first.startswith('"'):
                    made.add(("dynamodb:Query", f"{table}/index/{first.strip(chr(34))}"))
                elif first.strip() != "index":
                    raise Unreadable(f"{function.file}: {function.name} asks the index {first}")
        if function.owner == "Secrets":
            for call in re.findall(r"\bvalues\s*\.\s*(\w+)\s*\(", function.body):
                made.add((f"secretsmanager:{pascal(call)}", "secret:clients"))
        return made

    def made_by(self, crate):
        """Every call to AWS that a function can make: {(action, resource)}."""
        own = [f for file in sorted((self.root / "functions" / crate / "src").rglob("*.rs")) for f in functions_of(file)]
        seen, made = set(), set()
        todo = list(own)
        for function in own:
            for ahead in re.findall(r"\bAhead::(\w+)", function.body):
                todo += self.graph[("App", self.ahead[ahead])]
        while todo:
            function = todo.pop()
            called, here = self.calls(function)
            made |= here
            for key in called - seen:
                seen.add(key)
                todo += self.graph[key]
        return made

    def leaks(self):
        """What this reader could miss: a client outside the store, an aggregate under another name."""
        found = []
        crates = [self.root / "shared/src", *(self.root / "functions" / name / "src" for name in FUNCTIONS)]
        for file in (file for crate in crates for file in sorted(crate.rglob("*.rs"))):
            text = blanked(file.read_text().split("#[cfg(test)]\nmod tests")[0])
            if re.search(r"\baws_sdk_\w+::", text) and not (holds_a_client(file) or file.name == "aws.rs"):
                found.append(f"{file}: uses an AWS client of its own")
            for name, kind in re.findall(r"\b(\w+)\s*:\s*&(?:'\w+\s+)?(%s)\b" % "|".join(k for k, _ in AGGREGATES.values()), text):
                if AGGREGATES.get(name, (None,))[0] != kind:
                    found.append(f"{file}: {kind} is called {name}")
            for name in re.findall(r"\blet\s+(?:mut\s+)?(\w+)\s*=\s*&?(?:app|self)\.(?:%s)\s*;" % "|".join(AGGREGATES), text):
                found.append(f"{file}: an aggregate is called {name}")
        return found


if __name__ == "__main__":
    sources = Sources(Path(__file__).resolve().parents[2])
    for crate in FUNCTIONS:
        print(crate)
        by_resource = {}
        for action, resource in sources.made_by(crate):
            by_resource.setdefault(resource, []).append(action)
        for resource, actions in sorted(by_resource.items()):
            print(f"  {resource}: {', '.join(sorted(actions))}")
    print("\n".join(sources.leaks()))
