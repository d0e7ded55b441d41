"""Providers: one that keeps to the RFCs without being strict (PKCE counts where it was asked for), and one that belongs to the
attacker, takes every code and writes down all that it is sent."""

import base64
import hashlib
import http.server
import json
import secrets
import threading
import urllib.parse


class Provider:
    """An authorization server with an API, on loopback. `people` maps who logs in to the account's profile."""

    def __init__(self, name="Harbour", greedy=False):
        self.name, self.greedy = name, greedy
        self.codes, self.tokens, self.seen, self.answers, self.revoked = {}, {}, [], {}, []
        self.lock = threading.Lock()
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def handle_one(self):
                length = int(self.headers.get("content-length") or 0)
                provider.answer(self, self.rfile.read(length).decode("utf-8", "replace"))

            do_GET = do_POST = do_PUT = handle_one

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def definition(self, oauth2=None, **more):
        """What an operator writes down about it."""
        endpoints = {"authorization_endpoint": f"{self.url}/authorize", "token_endpoint": f"{self.url}/token"}
        return {
            "name": self.name,
            "oauth2": {**endpoints, "scopes": ["all"], **(oauth2 or {})},
            "api": {"base_url": f"{self.url}/api"},
            "profile": {"url": f"{self.url}/api/me", "account_id": "id", "label": "name", "email": "email"},
            "revoke": {"url": f"{self.url}/revoke", "params": {"token": "{access_token}"}},
            **more,
        }

    def consent(self, authorization_url, account="alice", **more):
        """The account's owner allows it: the address that the browser is sent to."""
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(authorization_url).query))
        code = f"canary-code-{secrets.token_hex(16)}"
        self.codes[code] = (account, asked.get("code_challenge"))
        answer = {"code": code, "state": asked.get("state", ""), **more}
        return f"{asked['redirect_uri']}?{urllib.parse.urlencode(answer)}"

    def calls(self, path):
        return [call for call in self.seen if call["path"] == path]

    def answer(self, handler, body):
        parts = urllib.parse.urlsplit(handler.path)
        bearer = (handler.headers.get("authorization") or "").removeprefix("Bearer ")
        form = dict(urllib.parse.parse_qsl(body))
        call = {"path": parts.path, "query": parts.query, "form": form, "headers": dict(handler.headers), "bearer": bearer}
        with self.lock:
            self.seen.append(call)
            status, headers, text = self.answers.get(parts.path) or self.usual(parts.path, form, bearer)
        payload = text if isinstance(text, bytes) else json.dumps(text).encode()
        handler.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(payload)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(payload)

    def usual(self, path, form, bearer):
        if path == "/token":
            return self.token(form)
        if path == "/revoke":
            account = self.tokens.get(form.get("token", ""))
            self.revoked.append(account)
            # consent is withdrawn as a whole: all that the account granted to the client ends
            self.tokens = {token: owner for token, owner in self.tokens.items() if owner != account}
            return 200, {}, {}
        account = self.tokens.get(bearer)
        if account is None:
            return 401, {}, {"error": "invalid_token"}
        return 200, {}, {"id": f"id-{account}", "name": account.title(), "email": f"{account}@harbour.example"}

    def token(self, form):
        account, challenge = self.codes.pop(form.get("code", ""), (None, None))
        if self.greedy:
            account, challenge = account or "mallory", None
        verifier = form.get("code_verifier", "")
        proof = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        # RFC 7636 §4.6, and RFC 9700 §2.1.1: a verifier where no challenge was asked for is a downgrade
        fits = challenge == proof if challenge else not verifier
        if account is None or not (fits or self.greedy):
            return 400, {}, {"error": "invalid_grant"}
        token = f"canary-access-{secrets.token_hex(16)}"
        self.tokens[token] = account
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": 3600}
        return 200, {}, {**answer, "refresh_token": f"canary-refresh-{secrets.token_hex(16)}"}
