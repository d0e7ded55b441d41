"""A browser as far as attacks need one: cookies by host, the headers by which it says where a navigation comes from, forms. It
follows no redirect by itself, and can be made to send what no browser would."""

import html
import http.client
import json
import re
import urllib.parse

LIMIT = 20  # seconds for any one request

#: Every answer that Mooring gave in this attack, to be searched for what must not be in it.
TRANSCRIPT = []


class Answer:
    """What came back."""

    def __init__(self, url, status, headers, body):
        self.url, self.status, self.headers, self.body = url, status, headers, body

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def json(self):
        return json.loads(self.body)

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name]

    def header(self, name):
        return next(iter(self.all(name)), "")

    @property
    def location(self):
        """Where it leads, absolute; empty where it leads nowhere."""
        target = self.header("location")
        return urllib.parse.urljoin(self.url, target) if target else ""

    @property
    def refusal(self):
        """Status and stable code, of a page as of JSON."""
        code = self.header("x-mooring-error")
        if not code and "json" in self.header("content-type"):
            code = self.json.get("error", "")
        return self.status, code

    def everything(self):
        return "\n".join([self.url, str(self.status), *(f"{name}: {value}" for name, value in self.headers), self.text])

    def forms(self):
        found = re.findall(r'<form[^>]*action="([^"]*)"[^>]*>(.*?)</form>', self.text, re.S)
        return [(html.unescape(action), fields(inner)) for action, inner in found]

    def form(self, part):
        """The form whose address holds this: its absolute address and its hidden fields."""
        form = next((form for form in self.forms() if part in form[0]), None)
        assert form, f"no form leads to {part} at {self.url}: {self.status} {self.text[:400]}"
        return urllib.parse.urljoin(self.url, form[0]), form[1]

    def __repr__(self):
        return f"{self.status} {self.header('x-mooring-error')} {self.location} {self.text[:200]!r}"


def fields(inner):
    hidden = {}
    for tag in re.findall(r"<input[^>]*>", inner):
        if 'type="hidden"' in tag:
            name, value = (re.search(rf'\b{part}="([^"]*)"', tag) for part in ("name", "value"))
            hidden[name[1]] = html.unescape(value[1]) if value else ""
    return hidden


def send(method, url, headers=(), body=None, host=None):
    """One request exactly as given: header lines may repeat, and `Host` may lie."""
    parts = urllib.parse.urlsplit(url)
    # RFC 6761 §6.3: such names are this machine's, as a browser knows and not every resolver does
    address = "127.0.0.1" if parts.hostname.endswith(".localhost") else parts.hostname
    connection = http.client.HTTPConnection(address, parts.port, timeout=LIMIT)
    try:
        connection.putrequest(method, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), skip_host=True, skip_accept_encoding=True)
        connection.putheader("host", host or parts.netloc)
        for name, value in headers:
            connection.putheader(name, value if isinstance(value, bytes) else value.encode("latin-1"))
        if body is not None:
            connection.putheader("content-length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        answer = Answer(url, response.status, response.getheaders(), response.read())
    finally:
        connection.close()
    TRANSCRIPT.append(answer)
    return answer


class Cookie:
    def __init__(self, host, line):
        pair, *attributes = [part.strip() for part in line.split(";")]
        self.host, (self.name, self.value) = host, pair.split("=", 1)
        self.attributes = [attribute.lower() for attribute in attributes]
        self.line = line

    @property
    def crosses(self):
        return "samesite=none" in self.attributes


class Browser:
    """One person's browser. Cookies know no ports, as in a real one."""

    def __init__(self):
        self.cookies = []

    def jar(self, url, *, cross_site_post=False):
        host = urllib.parse.urlsplit(url).hostname
        return [cookie for cookie in self.cookies if cookie.host == host and (cookie.crosses or not cross_site_post)]

    def value(self, part):
        """The value of the cookie whose name holds this."""
        return next((cookie.value for cookie in self.cookies if part in cookie.name), None)

    def cookie(self, part):
        found = next((cookie for cookie in self.cookies if part in cookie.name), None)
        assert found, f"no cookie has {part} in its name"
        return found

    def plant(self, url, name, value):
        """A cookie that somebody else put into this browser, beside what is there."""
        self.cookies.append(Cookie(urllib.parse.urlsplit(url).hostname, f"{name}={value}"))

    def copy(self):
        other = Browser()
        other.cookies = list(self.cookies)
        return other

    def keep(self, answer):
        host = urllib.parse.urlsplit(answer.url).hostname
        for line in answer.all("set-cookie"):
            new = Cookie(host, line)
            self.cookies = [old for old in self.cookies if (old.host, old.name) != (host, new.name)]
            if "max-age=0" not in new.attributes:
                self.cookies.append(new)

    def request(self, method, url, headers, body=None, cross_site_post=False):
        jar = self.jar(url, cross_site_post=cross_site_post)
        if jar:
            headers = [*headers, ("cookie", "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar))]
        answer = send(method, url, headers, body)
        self.keep(answer)
        return answer

    def open(self, url, site="none", dest="document", headers=()):
        """A navigation by GET: typed (`none`), or led here by a page of another site."""
        return self.request("GET", url, [*navigation(site, dest), *headers])

    def post(self, url, form, site="same-origin", origin="null", headers=()):
        """A form sent from a page. Our own pages send no referrer, so their `Origin` is `null`."""
        body = (form if isinstance(form, str) else urllib.parse.urlencode(form)).encode()
        said = [*navigation(site, "document"), ("content-type", "application/x-www-form-urlencoded")]
        said += [("origin", origin)] if origin else []
        return self.request("POST", url, [*said, *headers], body, cross_site_post=site == "cross-site")

    def submit(self, page, part, without=(), site="same-origin", origin="null", **values):
        """Sends a form of this page with its hidden fields and these values."""
        action, hidden = page.form(part)
        form = {name: value for name, value in {**hidden, **values}.items() if name not in without}
        return self.post(action, form, site, origin)

    def arrive(self, url, base, site="none"):
        """Opens an address of Mooring's and goes on as long as it leads to another one of Mooring's pages."""
        answer = self.open(url, site)
        for _ in range(5):
            if not answer.location.startswith(base):
                return answer
            answer = self.open(answer.location, site)
        raise AssertionError(f"sent around in a circle: {answer}")

    def fetch(self, url, headers=()):
        """A call by a script on our own page."""
        said = [("accept", "application/json"), ("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")]
        return self.request("GET", url, [*said, *headers])


def navigation(site, dest):
    return [
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"),
        ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ("upgrade-insecure-requests", "1"),
        ("sec-fetch-site", site),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", dest),
        ("sec-fetch-user", "?1"),
    ]


def query(url, name):
    """A parameter of an address."""
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query)).get(name)


def with_query(url, **values):
    """The address with these parameters; None takes one out."""
    parts = urllib.parse.urlsplit(url)
    pairs = [(name, value) for name, value in urllib.parse.parse_qsl(parts.query) if name not in values]
    pairs += [(name, value) for name, value in values.items() if value is not None]
    return urllib.parse.urlunsplit(parts._replace(query=urllib.parse.urlencode(pairs)))
