"""Lines 41-55: what a gate, or any other validator, lets through."""

import base64
import socket
import ssl
import subprocess
import time
import urllib.parse

from kit import jose, wire
from kit.authority import make_key
from kit.identity import Identity
from kit.registry import Failed, Skipped, demand, demand_equal, line
from kit.server import demand_refused, eventually

PROMISE = 1.0


def at_gates(number, sentence):
    """A line that every gate under test must keep."""

    def register(check):
        @line(number, sentence)
        def at_each(server):
            for gate in server.means.need("gates"):
                check(server, gate)

        return at_each

    return register


@at_gates(41, "A bound token without a certificate is refused")
def no_certificate(server, gate):
    gate.demand_refused(None, admitted(server, gate), "no certificate")


@at_gates(42, "The same key in a different certificate is refused")
def same_key(server, gate):
    device = server.means.need("device")
    twin = certificate_of_same_key(server, device)
    gate.demand_refused(twin, admitted(server, gate), "the same key, self-signed anew")


@at_gates(43, "A new certificate with a token bound to the old one is refused")
def old_token(server, gate):
    server.means.need("renew")
    device = server.means.spend()
    token = server.obtain(device)
    renewed = server.renew(device)
    gate.demand_refused(renewed, token, "the renewed certificate with the token of before")
    gate.demand_admitted(renewed, server.obtain(renewed), "the renewed certificate with a token of its own")


@at_gates(44, "An unbound token is refused at a gate for bound ones")
def unbound(server, gate):
    token, device = admitted(server, gate), server.means.device
    gate.demand_refused(device, server.forge(token, claims={"cnf": None}), "no cnf")
    gate.demand_refused(None, server.forge(token, claims={"cnf": None}), "no cnf and no certificate")
    gate.demand_refused(device, server.forge(token, claims={"cnf": {}}), "an empty cnf")


@at_gates(45, "An unknown or a second member of cnf is refused")
def confirmation(server, gate):
    token, device = admitted(server, gate), server.means.device
    own = {"x5t#S256": device.thumbprint}
    for cnf in (own | {"jkt": device.thumbprint}, own | {"x-new": True}, {"jkt": device.thumbprint}, {"x-new": 1}):
        gate.demand_refused(device, server.forge(token, claims={"cnf": cnf}), f"cnf {sorted(cnf)}")


@at_gates(46, "alg none, HS256 keyed with the public key, an alg that does not match the key: refused")
def algorithms(server, gate):
    token, device = admitted(server, gate), server.means.need("device")
    header, claims = jose.read(token)
    for none in ("none", "None", "NONE", ""):
        gate.demand_refused(device, jose.unsigned(header | {"alg": none}, claims), f"alg {none!r}")
    signature = token.rpartition(".")[2]
    gate.demand_refused(device, jose.unsigned(header | {"alg": "none"}, claims) + signature, "none, with a signature")
    jwk = next(key for key in server.keys() if key["kid"] == header["kid"])
    pem = jose.spki_pem(jwk)
    point = b"\4" + jose.decode(jwk["x"]) + jose.decode(jwk["y"])
    for secret in (pem, pem.strip(), point, jose.P256_SPKI + point[1:], b""):
        gate.demand_refused(device, jose.hs256(secret, header | {"alg": "HS256"}, claims), "HS256")
    if server.means.signing_key:
        for alg in ("ES384", "RS256", "PS256", "EdDSA", "ES256K", "es256", None):
            gate.demand_refused(device, server.forge(token, header={"alg": alg}), f"alg {alg} for a P-256 signature")


@at_gates(47, "The wrong typ is refused, and so is an ID token")
def types(server, gate):
    token, device = admitted(server, gate), server.means.need("device")
    for typ in ("JWT", "dpop+jwt", "logout+jwt", "", None):
        gate.demand_refused(device, server.forge(token, header={"typ": typ}), f"typ {typ}")
    _, claims = jose.read(token)
    as_identity = {"aud": claims["client_id"], "nonce": "n", "auth_time": claims["iat"], "jti": None}
    gate.demand_refused(device, server.forge(token, {"typ": "JWT"}, as_identity), "an ID token")
    gate.demand_admitted(device, server.forge(token), "the same token signed once more")


@at_gates(48, "The wrong iss or aud is refused")
def addressees(server, gate):
    token, device = admitted(server, gate), server.means.need("device")
    issuer = server.metadata["issuer"]
    for iss in (f"{issuer}/", issuer.upper(), "https://another-issuer.invalid", None):
        gate.demand_refused(device, server.forge(token, claims={"iss": iss}), f"iss {iss}")
    for aud in ("https://another-product.invalid", "", [], None):
        gate.demand_refused(device, server.forge(token, claims={"aud": aud}), f"aud {aud}")


@at_gates(49, "Expired is refused; iat and nbf up to 10 s ahead pass, over 60 s do not")
def times(server, gate):
    token, device = admitted(server, gate), server.means.need("device")
    now = int(time.time())
    for claims in ({"exp": now - 1}, {"exp": now - 1, "iat": now - 301}, {"exp": None}, {"exp": "tomorrow"}):
        gate.demand_refused(device, server.forge(token, claims=claims), f"{claims}")
    for name in ("iat", "nbf"):
        gate.demand_admitted(device, server.forge(token, claims={name: now + 8}), f"{name} a little ahead")
        ahead = {name: now + 70, "exp": now + 300}
        gate.demand_refused(device, server.forge(token, claims=ahead), f"{name} far ahead")


@at_gates(50, "An unknown or duplicate kid is refused; jku, x5u and jwk in the header are ignored")
def key_names(server, gate):
    token, device = admitted(server, gate), server.means.need("device")
    header, claims = jose.read(token)
    own_key = server.means.folder("attacker") / "key.pem"
    make_key(own_key)
    with Trap() as trap:
        offered = {"jku": f"{trap.url}/jwks.json", "x5u": f"{trap.url}/x.pem", "jwk": jose.jwk_of(own_key)}
        for name, value in offered.items():
            for kid in (header["kid"], "attacker", None):
                forged = server.forge(token, {name: value, "kid": kid}, key=own_key)
                gate.demand_refused(device, forged, f"{name} of an attacker, kid {kid}")
            if server.means.signing_key:
                gate.demand_admitted(device, server.forge(token, {name: value}), f"a good token with {name}")
        trap.demand_untouched()
    server.means.need("signing_key")
    for kid in ("unknown", "", None):
        gate.demand_refused(device, server.forge(token, {"kid": kid}), f"kid {kid}")
    twice = f'{{"alg":"ES256","typ":"at+jwt","kid":"unknown","kid":"{header["kid"]}"}}'
    gate.demand_refused(device, server.forge(token, twice), "two kid in one header")


@at_gates(51, "A token in the query is refused; no token at all gets a bare challenge")
def places(server, gate):
    token, device = admitted(server, gate), server.means.need("device")
    for query in (f"?access_token={token}", f"?a=1&access_token={token}"):
        answer = gate.ask(device, None, query=query)
        demand(answer.status in (400, 401), f"in the query alone: {answer.brief()}")
        answer = gate.ask(device, token, query=query)
        demand(answer.status in (400, 401), f"in the query too: {answer.brief()}")
    answer = gate.ask(device, None)
    demand_equal(answer.status, 401, answer.brief())
    challenge = answer.header("WWW-Authenticate")
    demand(challenge.startswith("Bearer") and "error" not in challenge, f"the challenge is {challenge!r}")


@line(52, "An insufficient scope gets 403 insufficient_scope")
def scope(server):
    gate, device = server.means.need("scoped_gate"), server.means.need("device")
    enough = server.obtain(device, ("scope", server.means.need("scope")))
    gate.demand_admitted(device, enough, "a token with the scope")
    answer = gate.ask(device, server.obtain(device))
    demand_equal(answer.status, 403, answer.brief())
    challenge = answer.header("WWW-Authenticate")
    demand('error="insufficient_scope"' in challenge, f"the challenge is {challenge!r}")
    answer = gate.ask(server.means.other, enough) if server.means.other else None
    demand(not answer or answer.status == 401, "the scope alone opens it for another device")


@at_gates(53, "A revoked token, certificate or device is refused within a second")
def revocation(server, gate):
    token = admitted(server, gate)
    demand_equal(server.revoke(server.means.device, token).status, 200, "revocation of a token")
    refused_in_time(gate, server.means.device, token, "the token")
    for what, stop in (("certificate", server.stop_certificate), ("device", server.stop_device)):
        server.means.need(f"stop_{what}")
        device = server.means.spend()
        token = server.obtain(device)
        gate.demand_admitted(device, token, "before")
        stop(device)
        refused_in_time(gate, device, token, f"the {what}")


def refused_in_time(gate, device, token, what):
    eventually(lambda: not gate.admits(device, token), PROMISE, f"{what} is let in for longer than {PROMISE} s")
    gate.demand_refused(device, token, what)


@line(54, "A certificate header from a peer that is not a trusted proxy is ignored")
def untrusted_header(server):
    untrusted_header_at_the_server(server, server.means.need("device"))
    for gate in server.means.need("gates"):
        untrusted_header_at(server, gate)


def untrusted_header_at_the_server(server, device):
    """Without a certificate the headers are none; beside one, they are not another's."""
    headers = told_by_proxies(device)
    for header in headers:
        answer = server.ask_token(None, client_id=device.client_id, headers=[header])
        demand_refused(answer, f"{header[0]} instead of a certificate")
    other = server.means.other
    if other:
        answer = server.ask_token(other, client_id=device.client_id, headers=headers)
        demand_refused(answer, "headers beside another certificate")


def told_by_proxies(identity):
    """The same certificate as proxies of different makes write it."""
    pem, der = urllib.parse.quote(identity.pem, safe=""), base64.b64encode(identity.der).decode()
    return [
        ("Client-Cert", f":{der}:"),
        ("X-Client-Cert", pem),
        ("X-Forwarded-Client-Cert", f'Hash={identity.hex_thumbprint};Cert="{pem}"'),
        ("X-Amzn-Mtls-Clientcert", pem),
        ("X-Amzn-Mtls-Clientcert-Leaf", pem),
        ("X-Forwarded-Tls-Client-Cert", der),
        ("X-SSL-Cert", pem),
        ("X-ARR-ClientCert", der),
        ("SSL-Client-Cert", pem),
    ]


def untrusted_header_at(server, gate):
    token, device = admitted(server, gate), server.means.need("device")
    if gate.terminates_tls:
        gate.demand_refused(None, token, "a header instead of a certificate", headers=[gate.handed_over(device)])
        return
    try:
        answer = gate.ask(device, token, source="127.0.0.2")
    except Failed as error:
        raise Skipped(f"this machine has no second loopback address: {error}") from None
    demand(answer.status in (401, 403), f"a header from somebody else: {answer.brief()}")


@line(55, "A resumed TLS session is refused after the revocation")
def resumption(server):
    """Where the server does not resume, the new handshake is refused for the same reason."""
    server.means.need("stop_device")
    device = server.means.spend()
    context = server.means.trust.context(device)
    url = server.endpoint("token_endpoint")
    session, answer = speak(server, url, context, device, None)
    demand_equal(answer.status, 200, f"before: {answer.brief()}")
    server.stop_device(device)
    anonymous = server.means.trust.context()
    for what, again in (("with its certificate", context), ("without one", anonymous)):
        try:
            _, answer = speak(server, url, again, device, session if again is context else None)
        except (ssl.SSLError, ConnectionError):
            continue
        demand(b"access_token" not in answer.body, f"{what}: a token: {answer.brief()}")
        demand_equal((answer.status, answer.error()), (401, "invalid_client"), what)


def speak(server, url, context, device, session):
    """A token by hand, so that the TLS session can be kept and used again."""
    connection = wire.connect(url, server.means.trust)
    raw = socket.create_connection((connection.host, connection.port), wire.PATIENCE)
    connection.sock = context.wrap_socket(raw, server_hostname=connection.host, session=session)
    try:
        body = f"grant_type=client_credentials&client_id={device.client_id}"
        if server.means.resource:
            body += f"&resource={server.means.resource}"
        answer = wire.ask(connection, url, "POST", [("Content-Type", wire.FORM)], body.encode())
        return connection.sock.session if connection.sock else session, answer
    finally:
        connection.close()


def admitted(server, gate):
    """A token that works: what is refused after it is refused for the reason of the line."""
    device = server.means.need("device")
    token = server.obtain(device)
    gate.demand_admitted(device, token, "the untouched token with its certificate")
    return token


def certificate_of_same_key(server, device):
    file = server.means.folder("twin") / "cert.pem"
    command = ["openssl", "req", "-x509", "-key", device.key, "-subj", "/CN=twin", "-days", "2", "-out", str(file)]
    subprocess.run(command, check=True, capture_output=True)
    return Identity(file, device.key, device.client_id)


class Trap:
    """An address that nobody may fetch from."""

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}"
        return self

    def demand_untouched(self):
        self.listener.settimeout(0.2)
        try:
            self.listener.accept()[0].close()
        except TimeoutError:
            return
        raise Failed("the gate fetched from an address in a token's header")

    def __exit__(self, *_):
        self.listener.close()
