"""Where a tenant's people sign in: an identity provider as small as discovery, keys and one ID token."""

import http.server
import json
import ssl
import threading
import time

from . import jose
from .authority import SERVER, Authority, make_key

AUDIENCE = "conformance"


class Provider(http.server.BaseHTTPRequestHandler):
    """Answers from the documents of its server."""

    def do_GET(self):  # noqa: N802: the library's name
        found = self.server.documents.get(self.path)
        text = json.dumps(found or {}).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class People:
    """Listens until the process ends."""

    def __init__(self, folder):
        authority = Authority(folder, "/CN=Where people sign in")
        self.ca, self.key = authority.certificate, authority.folder / "signing.key"
        make_key(self.key)
        tls = authority.issue("tls", "/CN=localhost", SERVER, san="DNS:localhost")
        self.issuer = f"https://localhost:{self.listen(tls)}"
        self.server.documents = {
            "/.well-known/openid-configuration": {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/jwks"},
            "/jwks": {"keys": [jose.jwk_of(self.key) | {"kid": "one", "use": "sig", "alg": "ES256"}]},
        }

    def listen(self, tls):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.chain, tls.key)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self.server.server_address[1]

    def configuration(self, tenant):
        lines = {"tenant": tenant, "issuer": self.issuer, "audiences": [AUDIENCE], "ca": str(self.ca)}
        return "\n[[identity_provider]]\n" + "".join(f"{name} = {json.dumps(lines[name])}\n" for name in lines)

    def id_token(self, person="staff-1"):
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": person, "aud": AUDIENCE, "iat": now, "exp": now + 3600}
        return jose.es256(self.key, {"alg": "ES256", "kid": "one"}, claims)
