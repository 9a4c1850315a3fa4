"""A gate under test: one that is asked by a proxy, or one that is the proxy."""

import base64
import urllib.parse

from . import wire
from .registry import demand, demand_equal


class Gate:
    """`url` is http:// of a check for proxies, or https:// of a gate that terminates TLS itself."""

    def __init__(self, url, trust, header="rfc9440"):
        self.url, self.trust, self.form = url, trust, header

    @property
    def terminates_tls(self):
        return self.url.startswith("https:")

    def ask(self, identity, token, query="", headers=(), source=None):
        headers = list(headers)
        if token is not None:
            headers.append(("Authorization", f"Bearer {token}"))
        if self.terminates_tls:
            return wire.send(self.url + query, self.trust, identity, headers=headers, source=source)
        if identity:
            headers.append(self.handed_over(identity))
        if query:
            headers.append(("X-Original-URI", f"/{query}"))
        return wire.send(self.url, self.trust, headers=headers, source=source)

    def handed_over(self, identity):
        """The header in which a proxy passes on its client's certificate."""
        if self.form == "nginx":
            return "X-Client-Cert", urllib.parse.quote(identity.pem, safe="")
        return "Client-Cert", f":{base64.b64encode(identity.der).decode()}:"

    def demand_admitted(self, identity, token, what, **more):
        answer = self.ask(identity, token, **more)
        demand(200 <= answer.status < 300, f"{what}: {answer.brief()}")

    def demand_refused(self, identity, token, what, **more):
        """401 `invalid_token` with its challenge (RFC 6750 section 3.1)."""
        answer = self.ask(identity, token, **more)
        demand_equal(answer.status, 401, f"{what}: {answer.brief()}")
        challenge = answer.header("WWW-Authenticate")
        demand('error="invalid_token"' in challenge, f"{what}: the challenge is {challenge!r}")

    def admits(self, identity, token):
        return 200 <= self.ask(identity, token).status < 300
