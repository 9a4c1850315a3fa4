"""The server under test: found by its metadata, asked as clients ask."""

import functools
import subprocess
import time

from . import jose, wire
from .identity import Identity
from .means import fill
from .registry import Failed, demand, demand_equal

CLIENT_CREDENTIALS = "client_credentials"


class Server:
    def __init__(self, means):
        self.means = means

    @functools.cached_property
    def metadata(self):
        """RFC 8414 section 3: the well-known segment goes between host and path."""
        scheme, _, rest = self.means.issuer.partition("://")
        host, _, path = rest.partition("/")
        path = f"/{path}".rstrip("/")
        url = f"{scheme}://{host}/.well-known/oauth-authorization-server{path}"
        answer = wire.send(url, self.means.trust)
        demand_equal(answer.status, 200, "metadata")
        return answer.json()

    def endpoint(self, name):
        """The address for clients with certificates (RFC 8705 section 5)."""
        url = self.metadata.get("mtls_endpoint_aliases", {}).get(name) or self.metadata.get(name)
        if not url:
            raise Failed(f"the metadata names no {name}")
        return url

    def keys(self):
        return wire.send(self.metadata["jwks_uri"], self.means.trust).json()["keys"]

    # Questions of clients.

    def post(self, endpoint, identity, parameters, headers=()):
        return wire.post(self.endpoint(endpoint), self.means.trust, identity, parameters, headers)

    def ask_token(self, identity, *more, client_id=None, grant=CLIENT_CREDENTIALS, headers=(), resource=True):
        """The token endpoint; `more` are further parameters as pairs."""
        parameters = [("grant_type", grant), ("client_id", client_id or identity.client_id)]
        named = {name for name, _ in more}
        if resource and self.means.resource and not named & {"resource", "audience"}:
            parameters.append(("resource", self.means.resource))
        return self.post("token_endpoint", identity, [*parameters, *more], headers)

    def granted(self, identity, *more):
        answer = self.ask_token(identity, *more)
        demand_equal(answer.status, 200, f"a token for {identity.client_id}: {answer.brief()}")
        return answer.json()

    def obtain(self, identity, *more):
        return self.granted(identity, *more)["access_token"]

    def introspect(self, identity, token, *more):
        parameters = [("client_id", identity.client_id), ("token", token), *more]
        return self.post("introspection_endpoint", identity, parameters)

    def revoke(self, identity, token):
        parameters = [("client_id", identity.client_id), ("token", token)]
        return self.post("revocation_endpoint", identity, parameters)

    def is_authenticated(self, identity):
        """Whether the holder is who its client_id says, asked where nothing is changed by it."""
        answer = self.introspect(identity, "no-token-at-all")
        if answer.status == 200:
            return True
        demand_refused(answer, "a client that is not authenticated")
        return False

    # Deeds of operators.

    def stop_device(self, identity):
        self.run(self.means.need("stop_device"), identity)

    def stop_certificate(self, identity):
        self.run(self.means.need("stop_certificate"), identity)

    def renew(self, identity):
        """The next certificate of the same client."""
        renew = self.means.need("renew")
        if callable(renew):
            return renew(identity)
        out = self.means.folder(f"renewed-{identity.hex_thumbprint[:16]}")
        self.run(renew, identity, out=out)
        return Identity(out / "chain.pem", out / "key.pem", identity.client_id)

    @staticmethod
    def run(command, identity, **more):
        names = {"device": identity.client_id, "thumbprint": identity.thumbprint}
        line = fill(command, cert=identity.chain, key=identity.key, **names, **more)
        done = subprocess.run(line, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        demand(done.returncode == 0, f"{' '.join(line)}: {done.stderr or done.stdout}")

    # Forgery.

    def forge(self, token, header=None, claims=None, key=None):
        """The token with other members, signed by the server's own key unless told otherwise; None takes one out."""
        true_header, true_claims = jose.read(token)
        key = key or self.means.need("signing_key")
        return jose.es256(key, changed(true_header, header), changed(true_claims, claims))


def changed(members, changes):
    if isinstance(changes, str):
        return changes
    return {name: value for name, value in (members | (changes or {})).items() if value is not None}


# What every section demands of refusals.


def demand_error(answer, error, status):
    """An OAuth error (RFC 6749 section 5.2), and no token beside it."""
    demand(b"access_token" not in answer.body, f"a token: {answer.brief()}")
    found = (answer.status, answer.error() if answer.status else None)
    demand_equal(found, (status, error), answer.brief())


def demand_refused(answer, what):
    """Client authentication failed: `invalid_client` with 401, or TLS that does not take the certificate at all."""
    demand(b"access_token" not in answer.body, f"{what}: a token: {answer.brief()}")
    if answer.status != 0:
        demand_equal(answer.status, 401, f"{what}: {answer.brief()}")
        demand_equal(answer.error(), "invalid_client", f"{what}: {answer.brief()}")


def eventually(holds, seconds, otherwise):
    """Waits until it holds, and gives the seconds that took."""
    began = time.monotonic()
    while not holds():
        demand(time.monotonic() - began < seconds, otherwise)
        time.sleep(0.02)
    return time.monotonic() - began

