"""Lines 61-64: tokens of a page that are bound to its own key (DPoP, RFC 9449)."""

import hashlib
import secrets
import time

from kit import jose
from kit.authority import make_key
from kit.registry import demand, demand_equal, line
from kit.server import demand_error

from .authorization import CODE, granted

TOKEN = "token_endpoint"


@line(61, "A page that proves its key gets a token that is bound to it (cnf.jkt), with token_type DPoP")
def bound_to_the_key(server):
    key = Key(server, "own")
    code, verifier = granted(server, page="page_by_key", dpop_jkt=key.thumbprint)
    answer = redeem(server, key, code, verifier)
    demand_equal(answer.status, 200, answer.brief())
    demand_equal(str(answer.json().get("token_type")).lower(), "dpop", "token_type")
    _, claims = jose.read(answer.json()["access_token"])
    demand_equal(claims.get("cnf"), {"jkt": key.thumbprint}, "cnf")
    demand(answer.header("DPoP-Nonce"), "no nonce for the next proof")


@line(62, "A proof without a nonce, for another request, stale or replayed gets no token, and uses nothing up")
def wrong_proofs(server):
    key, address = Key(server, "own"), server.endpoint(TOKEN)
    code, verifier = granted(server, page="page_by_key")
    nonce = key.nonce(server)
    answer = redeem(server, key, code, verifier, [key.proof(address)])
    demand_error(answer, "use_dpop_nonce", 400)
    good = key.proof(address, nonce=nonce)
    for why, proofs in {
        "no proof": [],
        "two proofs": [good, key.proof(address, nonce=nonce)],
        "another method": [key.proof(address, nonce=nonce, htm="GET")],
        "another address": [key.proof("https://elsewhere.invalid/token", nonce=nonce)],
        "stale": [key.proof(address, nonce=nonce, iat=int(time.time()) - 600)],
        "of the future": [key.proof(address, nonce=nonce, iat=int(time.time()) + 600)],
        "without a name": [key.proof(address, nonce=nonce, jti="")],
        "no signature": [good.rpartition(".")[0] + "."],
        "alg none": [jose.unsigned({"typ": "dpop+jwt", "alg": "none", "jwk": key.jwk}, key.claims(address, nonce))],
        "a private key": [key.proof(address, nonce=nonce, jwk={**key.jwk, "d": "AAAA"})],
    }.items():
        refused = redeem(server, key, code, verifier, proofs)
        demand(refused.error() == "invalid_dpop_proof", f"{why}: {refused.brief()}")
    demand_equal(redeem(server, key, code, verifier, [good]).status, 200, "the code is not used up")
    code, verifier = granted(server, page="page_by_key")
    demand_error(redeem(server, key, code, verifier, [good]), "invalid_dpop_proof", 400)


@line(63, "A code that names a key, and a page's refresh token, are nothing with another key")
def another_key(server):
    key, thief = Key(server, "own"), Key(server, "thief")
    code, verifier = granted(server, page="page_by_key", dpop_jkt=key.thumbprint)
    demand_error(redeem(server, thief, code, verifier), "invalid_grant", 400)
    code, verifier = granted(server, page="page_by_key", dpop_jkt=key.thumbprint)
    answer = redeem(server, key, code, verifier)
    demand_equal(answer.status, 200, answer.brief())
    value = answer.json()["refresh_token"]
    demand_error(refresh(server, thief, value), "invalid_grant", 400)
    demand_equal(refresh(server, key, value).status, 200, "with its own key")


@line(64, "A key never stands in for the certificate, and whoever did not register for keys gets none")
def beside_the_certificate(server):
    key, page = Key(server, "own"), server.means.need("page_by_key")
    code, verifier = granted(server, page="page_by_key", dpop_jkt=key.thumbprint)
    proof = key.proof(server.endpoint(TOKEN), nonce=key.nonce(server))
    for identity in (None, server.means.need("foreign")):
        answer = redeem(server, key, code, verifier, [proof], identity=identity, client_id=page["client_id"])
        demand(answer.status in (400, 401) and answer.error(), f"not an error: {answer.brief()}")
        demand(b"access_token" not in answer.body, f"a token: {answer.brief()}")
    demand_equal(redeem(server, key, code, verifier, [proof]).status, 200, "with the device's certificate")
    code, verifier = granted(server)
    other = server.means.need("page")
    proof = key.proof(server.endpoint(TOKEN), nonce=key.nonce(server))
    answer = redeem(server, key, code, verifier, [proof], client_id=other["client_id"], page=other)
    demand_error(answer, "invalid_request", 400)


class Key:
    """A page's own, with what it makes of it."""

    def __init__(self, server, name):
        self.file = server.means.folder("proof-keys") / f"{name}-{secrets.token_hex(4)}.key"
        make_key(self.file)
        self.jwk = {name: value for name, value in jose.jwk_of(self.file).items() if name in ("kty", "crv", "x", "y")}
        members = ",".join(f'"{name}":"{self.jwk[name]}"' for name in ("crv", "kty", "x", "y"))
        self.thumbprint = jose.encode(hashlib.sha256(f"{{{members}}}".encode()).digest())

    def claims(self, address, nonce=None, **others):
        claims = {"jti": secrets.token_urlsafe(12), "htm": "POST", "htu": address, "iat": int(time.time()), **others}
        return claims | ({"nonce": nonce} if nonce else {})

    def proof(self, address, jwk=None, **others):
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk or self.jwk}
        return jose.es256(self.file, header, self.claims(address, **others))

    def nonce(self, server):
        """As the server says it to whoever comes without."""
        answer = refresh(server, self, "no-such-value", [self.proof(server.endpoint(TOKEN))])
        demand_error(answer, "use_dpop_nonce", 400)
        return answer.header("DPoP-Nonce")


def fresh(server, key):
    return [key.proof(server.endpoint(TOKEN), nonce=key.nonce(server))]


def redeem(server, key, code, verifier, proofs=None, identity="device", client_id=None, page=None):
    identity = server.means.need("device") if identity == "device" else identity
    page = page or server.means.need("page_by_key")
    more = [("code", code), ("redirect_uri", page["redirect_uri"]), ("code_verifier", verifier)]
    headers = [("DPoP", proof) for proof in (fresh(server, key) if proofs is None else proofs)]
    return server.ask_token(
        identity, *more, client_id=client_id or page["client_id"], grant=CODE, headers=headers, resource=False
    )


def refresh(server, key, value, proofs=None):
    page = server.means.need("page_by_key")
    headers = [("DPoP", proof) for proof in (fresh(server, key) if proofs is None else proofs)]
    return server.ask_token(
        server.means.need("device"), ("refresh_token", value), client_id=page["client_id"], grant="refresh_token",
        headers=headers, resource=False,
    )  # fmt: skip
