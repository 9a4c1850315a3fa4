"""Whether every line can fail: a server and a gate that say yes to everything must not pass a single one, nor must
those that say no to everything.

`selftest.py` tries the former, `selftest.py no` the latter. Prints the same JSON as the kit. Exit code 0 when all lines
fail.
"""

import http.server
import json
import os
import ssl
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import lines  # noqa: E402, F401
from kit import jose, report  # noqa: E402
from kit.authority import Authority, make_key, make_self_signed  # noqa: E402
from kit.gate import Gate  # noqa: E402
from kit.means import IDENTITIES, Client, Means  # noqa: E402
from kit.server import Server  # noqa: E402
from kit.wire import Trust  # noqa: E402

ENDPOINTS = (
    "authorization_endpoint", "token_endpoint", "introspection_endpoint", "revocation_endpoint", "registration_endpoint",
)  # fmt: skip
KINDS = ("subject_dn", "san_dns", "san_uri", "san_ip", "san_email", "elsewhere", "another_ca", "intermediate", "self_signed")
CLAIMS = {"iss": "yes", "sub": "yes", "aud": "yes", "client_id": "yes", "iat": 1, "exp": 2**33, "jti": "yes", "cnf": {}}
TOKEN = jose.unsigned({"alg": "none", "typ": "JWT", "kid": "yes"}, CLAIMS)


class Yes(http.server.BaseHTTPRequestHandler):
    """Grants every token, finds every token active, lets everybody in."""

    def do_GET(self):  # noqa: N802: the library's name
        self.answer(self.server.metadata if "well-known" in self.path else {"keys": self.server.keys})

    def do_POST(self):  # noqa: N802: the library's name
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        yes = {"active": True, "access_token": TOKEN, "refresh_token": "yes", "token_type": "Bearer"}
        self.answer(yes)

    def answer(self, body):
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class No(Yes):
    """Is found like any other server, and refuses everybody and everything."""

    def do_GET(self):  # noqa: N802: the library's name
        if "check" in self.path:
            self.refuse({"code": "no"})
        else:
            super().do_GET()

    def do_POST(self):  # noqa: N802: the library's name
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.refuse({"error": "invalid_client"})

    def refuse(self, body):
        text = json.dumps(body).encode()
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Bearer error="invalid_token"')
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def serve(folder, handler):
    """The server behind TLS; gives its address and its CA."""
    certificate, key = folder / "tls.pem", folder / "tls.key"
    make_self_signed(key, certificate, "/CN=localhost", "subjectAltName=DNS:localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = f"https://localhost:{server.server_address[1]}"
    endpoints = {name: f"{url}/{name}" for name in ENDPOINTS}
    server.metadata = {
        "issuer": f"{url}/yes", "jwks_uri": f"{url}/jwks", **endpoints,
        "grant_types_supported": ["client_credentials", "refresh_token"],
    }  # fmt: skip
    make_key(folder / "published.key")
    server.keys = [jose.jwk_of(folder / "published.key") | {"kid": "yes"}]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return url, str(certificate)


def everything(folder, url, trust, handler):
    """Means for every line."""
    people = Authority(folder / "people", "/CN=People")
    numbers = iter(range(1000))
    issue = lambda: people.issue(f"p{next(numbers)}", "/CN=somebody", client_id="somebody")  # noqa: E731
    means = Means(url, trust, "https://product.invalid")
    for name in IDENTITIES:
        setattr(means, name, issue())
    means.clients = {kind: Client(issue(), {"an impostor": issue()}) for kind in KINDS}
    jwks = folder / "jwks.json"
    jwks.write_text("{}", encoding="ascii")
    means.clients["self_signed"].rotate = {"jwks": str(jwks), "next": issue()}
    means.disposable = [issue() for _ in range(8)]
    means.stop_device = means.stop_certificate = ["true"]
    means.renew = lambda _: issue()
    means.configure = lambda two_fields: (handler is Yes, {"text": "said", "names_the_line": True})
    means.signing_key = str(folder / "published.key")
    means.subject_token = {"token": "yes"}
    means.page = {"client_id": "page", "redirect_uri": "https://product.invalid/callback"}
    means.page_by_key = means.page
    means.initial_tokens = ["yes", "yes"]
    means.gates = [Gate(f"{url}/check", trust)]
    means.scoped_gate, means.scope = means.gates[0], "yes"
    return means


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        handler = No if sys.argv[1:] == ["no"] else Yes
        url, tls_ca = serve(folder, handler)
        server = Server(everything(folder, url, Trust(tls_ca), handler))
        # A server that cannot be reached would fail every line too, and prove nothing.
        device, gate = server.means.device, server.means.gates[0]
        assert server.ask_token(device).status == (200 if handler is Yes else 401)
        assert gate.ask(device, TOKEN).status == (200 if handler is Yes else 401)
        results = report.run(server)
    report.write_json(results)
    return 0 if all(result.outcome == report.FAILED for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
