"""Lines 20-32: what a client gets, and what it does not get."""

import re

from kit import jose
from kit.registry import demand, demand_equal, line
from kit.server import demand_error

ALGORITHMS = ("ES256", "EdDSA", "PS256")


@line(20, "cnf.x5t#S256 is base64url SHA-256 of the leaf's DER: 43 characters, no padding")
def confirmation(server):
    for identity in filter(None, (server.means.need("device"), server.means.other)):
        _, claims = jose.read(server.obtain(identity))
        found = claims.get("cnf", {}).get("x5t#S256", "")
        demand(re.fullmatch(r"[A-Za-z0-9_-]{43}", found), f"{found!r} is not 43 characters of base64url")
        demand_equal(found, identity.thumbprint, "the thumbprint")


@line(21, "A bound client without a certificate gets an error, never an unbound token")
def never_unbound(server):
    device = server.means.need("device")
    server.obtain(device)
    for grant in ("client_credentials", "refresh_token"):
        answer = server.ask_token(None, client_id=device.client_id, grant=grant)
        demand(answer.status in (400, 401) and answer.error(), f"not an error: {answer.brief()}")
        demand(b"access_token" not in answer.body, f"a token: {answer.brief()}")


@line(22, "DPoP and mTLS together are refused")
def two_bindings(server):
    device = server.means.need("device")
    server.obtain(device)
    proof = [("DPoP", f"{jose.part({'typ': 'dpop+jwt', 'alg': 'ES256'})}.{jose.part({'htm': 'POST'})}.c2ln")]
    answer = server.ask_token(device, headers=proof)
    demand(answer.status in (400, 401) and answer.error(), f"not refused: {answer.brief()}")
    demand(b"access_token" not in answer.body, f"a token: {answer.brief()}")


@line(23, "Cache-Control: no-store, and token_type Bearer")
def not_stored(server):
    answer = server.ask_token(server.means.need("device"))
    demand_equal(answer.status, 200, answer.brief())
    demand("no-store" in answer.header("Cache-Control"), f"Cache-Control: {answer.header('Cache-Control')!r}")
    demand_equal(str(answer.json().get("token_type")).lower(), "bearer", "token_type")


@line(24, "The password grant gets unsupported_grant_type")
def password_grant(server):
    more = [("username", "u"), ("password", "p")]
    answer = server.ask_token(server.means.need("device"), *more, grant="password")
    demand_error(answer, "unsupported_grant_type", 400)


@line(25, "A scope beyond what the client may have gets invalid_scope")
def excess_scope(server):
    device = server.means.need("device")
    demand_error(server.ask_token(device, ("scope", "conformance:no-such-scope")), "invalid_scope", 400)


@line(26, "A resource or audience that is not served gets invalid_target")
def bad_target(server):
    device = server.means.need("device")
    for target in ("https://no-such-product.invalid/", "not an address", "https://a.invalid/#fragment"):
        for name in ("resource", "audience"):
            demand_error(server.ask_token(device, (name, target)), "invalid_target", 400)


@line(27, "A parameter sent twice gets invalid_request")
def duplicates(server):
    device = server.means.need("device")
    for name in ("grant_type", "client_id"):
        value = {"grant_type": "client_credentials", "client_id": device.client_id}[name]
        demand_error(server.ask_token(device, (name, value)), "invalid_request", 400)
    for name in ("scope", "audience", "anything"):
        demand_error(server.ask_token(device, (name, "a"), (name, "a")), "invalid_request", 400)


@line(28, "No refresh token for client_credentials")
def no_refresh_token(server):
    granted = server.granted(server.means.need("device"))
    demand("refresh_token" not in granted, "there is one")


@line(29, "At least 128 bits of entropy in every opaque value")
def entropy(server):
    device = server.means.need("device")
    names = [jose.read(server.obtain(device))[1]["jti"] for _ in range(64)]
    demand_equal(len(set(names)), len(names), "different names")
    # A bit that never changes in 64 values is no entropy; that it happens by chance is out of the question.
    bits = sum(varying_bits(column) for column in zip(*names))
    demand(len(set(map(len, names))) == 1, "the names have different lengths")
    demand(bits >= 128, f"jti has at most {bits:.0f} bits")


def varying_bits(characters):
    """Upper bound of what one character carries: of the alphabet's bits, those seen at both values."""
    alphabet = "0123456789abcdef" if all(c in "0123456789abcdef" for c in characters) else None
    if alphabet is None:
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    values = [alphabet.find(character) for character in characters]
    width = (len(alphabet) - 1).bit_length()
    return sum(len({value >> bit & 1 for value in values}) == 2 for bit in range(width))


@line(30, "typ at+jwt, with iss exp aud sub client_id iat jti (RFC 9068)")
def claims(server):
    device = server.means.need("device")
    header, found = jose.read(server.obtain(device))
    typ = str(header.get("typ")).lower()
    demand(typ in ("at+jwt", "application/at+jwt"), f"typ is {typ}")
    for name in ("iss", "exp", "aud", "sub", "client_id", "iat", "jti"):
        demand(found.get(name), f"{name} is missing")
    demand_equal(found["iss"], server.metadata["issuer"], "iss")
    demand_equal(found["client_id"], device.client_id, "client_id")
    demand(found["iat"] < found["exp"], "it ends before it begins")


@line(31, "Signed with ES256 (EdDSA, PS256 by configuration) by a published key")
def signature(server):
    header, _ = jose.read(token := server.obtain(server.means.need("device")))
    demand(header.get("alg") in ALGORITHMS, f"alg is {header.get('alg')}")
    keys = [key for key in server.keys() if key.get("kid") == header.get("kid")]
    demand_equal(len(keys), 1, f"published keys called {header.get('kid')}")
    demand(not {"d", "p", "q", "k"} & set(keys[0]), "the published key is a private one")
    if header["alg"] == "ES256":
        demand(jose.verifies(token, keys[0]), "openssl does not verify the signature")
        changed = token.replace(token.split(".")[1], jose.part({"sub": "somebody"}))
        demand(not jose.verifies(changed, keys[0]), "openssl verifies anything")


@line(32, "A device's sub cannot collide with a person's")
def subjects(server):
    device, other = server.means.need("device"), server.means.need("other")
    found = [jose.read(server.obtain(identity))[1]["sub"] for identity in (device, other)]
    demand_equal(len(set(found)), 2, "two devices have different subjects")
    for subject, identity in zip(found, (device, other)):
        kind, separator, name = subject.partition(":")
        prefixed = separator and kind.isidentifier() and name == identity.client_id
        demand(prefixed, f"{subject!r} does not say that it is a device, as KIND:{identity.client_id} does")


