"""Lines 56-60: introspection, revocation, metadata."""

from kit import jose, wire
from kit.registry import demand, demand_equal, line
from kit.server import demand_refused

INACTIVE = {"active": False}


@line(56, "Introspection without authentication: 401")
def unauthenticated(server):
    device = server.means.need("device")
    token = server.obtain(device)
    answer = server.post("introspection_endpoint", None, [("token", token)])
    demand_equal(answer.status, 401, answer.brief())
    demand(b"active" not in answer.body, answer.brief())
    named = server.post("introspection_endpoint", None, [("token", token), ("client_id", device.client_id)])
    demand_refused(named, "client_id alone")


@line(57, "A revoked or unknown token, or one for another audience: exactly {\"active\":false}")
def inactive(server):
    device = server.means.need("device")
    revoked = server.obtain(device)
    demand_equal(server.introspect(device, revoked).json().get("active"), True, "before it is revoked")
    demand_equal(server.revoke(device, revoked).status, 200, "revocation")
    signed, _, signature = server.obtain(device).rpartition(".")
    forged = f"{signed}.{signature[::-1]}"
    for what, token in (("revoked", revoked), ("unknown", "no-token"), ("forged", forged)):
        demand_inactive(server.introspect(device, token), what)
    if server.means.gate:
        elsewhere = ("audience", "https://another-product.invalid")
        demand_inactive(server.introspect(server.means.gate, server.obtain(device), elsewhere), "another audience")
    if server.means.other:
        demand_inactive(server.introspect(server.means.other, server.obtain(device)), "another device's")
    if server.means.signing_key:
        past = {"iat": 1_000_000_000, "exp": 1_000_000_300}
        demand_inactive(server.introspect(device, server.forge(server.obtain(device), claims=past)), "expired")


def demand_inactive(answer, what):
    demand_equal((answer.status, answer.json()), (200, INACTIVE), what)


@line(58, "An active token comes with cnf at the top level")
def confirmation(server):
    device = server.means.need("device")
    token = server.obtain(device)
    for asking in filter(None, (device, server.means.gate)):
        answer = server.introspect(asking, token)
        demand_equal(answer.status, 200, answer.brief())
        found = answer.json()
        demand_equal(found.get("active"), True, "active")
        demand_equal(found.get("cnf"), {"x5t#S256": device.thumbprint}, "cnf")


@line(59, "Revoking an unknown token: 200; another client's: refused")
def revocation(server):
    device, other = server.means.need("device"), server.means.need("other")
    demand_equal(server.revoke(device, "no-token").status, 200, "an unknown token")
    token = server.obtain(device)
    answer = server.revoke(other, token)
    demand(400 <= answer.status < 500 and answer.error(), f"another client's token: {answer.brief()}")
    demand_equal(server.introspect(device, token).json().get("active"), True, "the token after that")


@line(60, "Metadata: issuer exact, mtls_endpoint_aliases work, certificate-bound tokens announced")
def metadata(server):
    found = server.metadata
    demand_equal(found.get("issuer"), server.means.issuer, "issuer")
    demand_equal(found.get("tls_client_certificate_bound_access_tokens"), True, "bound tokens")
    methods = found.get("token_endpoint_auth_methods_supported", [])
    demand({"tls_client_auth", "self_signed_tls_client_auth"} & set(methods), f"methods: {methods}")
    aliases = found.get("mtls_endpoint_aliases", {})
    for name in ("token_endpoint", "introspection_endpoint", "revocation_endpoint"):
        demand(name in aliases, f"no alias of {name}")
    device = server.means.need("device")
    parameters = [("grant_type", "client_credentials"), ("client_id", device.client_id)]
    if server.means.resource:
        parameters.append(("resource", server.means.resource))
    answer = wire.post(aliases["token_endpoint"], server.means.trust, device, parameters)
    demand_equal(answer.status, 200, f"the alias of the token endpoint: {answer.brief()}")
    jose.read(answer.json()["access_token"])
