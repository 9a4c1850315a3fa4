"""Lines 36-40: refresh tokens belong to the device, whichever certificate it has by now."""

from kit import jose
from kit.registry import Failed, demand, demand_equal, line
from kit.server import demand_error

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


@line(36, "A refresh token is refused from another device")
def from_another_device(server):
    device, other = server.means.need("device"), server.means.need("other")
    refresh_token = begin(server, device)
    demand_error(refresh(server, other, refresh_token), "invalid_grant", 400)
    granted(server, device, refresh_token)


@line(37, "After a renewal it works, and the new token is bound to the new certificate")
def after_renewal(server):
    device = server.means.spend()
    refresh_token = begin(server, device)
    renewed = server.renew(device)
    _, claims = jose.read(granted(server, renewed, refresh_token)["access_token"])
    demand_equal(claims["cnf"]["x5t#S256"], renewed.thumbprint, "the thumbprint")


@line(38, "After the device is revoked it is refused")
def after_revocation(server):
    device = server.means.spend()
    refresh_token = begin(server, device)
    server.stop_device(device)
    answer = refresh(server, device, refresh_token)
    demand(b"access_token" not in answer.body, f"a token: {answer.brief()}")
    found = (answer.status, answer.error() if answer.status else "invalid_client")
    demand(found in ((0, "invalid_client"), (401, "invalid_client"), (400, "invalid_grant")), answer.brief())


@line(39, "A refresh token is refused with a certificate that is not this client's")
def another_certificate(server):
    device = server.means.need("device")
    refresh_token = begin(server, device)
    for name in ("foreign", "other"):
        impostor = server.means.need(name).called(device.client_id)
        answer = refresh(server, impostor, refresh_token)
        demand(b"access_token" not in answer.body, f"{name}: a token: {answer.brief()}")
        demand(answer.status in (0, 400, 401), f"{name}: {answer.brief()}")
    answer = server.ask_token(None, ("refresh_token", refresh_token), client_id=device.client_id, grant="refresh_token")
    demand(answer.status in (400, 401), f"no certificate: {answer.brief()}")


@line(40, "Where refresh tokens rotate: the previous one works once more at once, then its family dies")
def rotation(server):
    device = server.means.need("device")
    # Of a session of its own, which a server may well end for it.
    altered = begin(server, device)
    altered = altered[:-1] + ("a" if altered[-1] != "a" else "b")
    demand_error(refresh(server, device, altered), "invalid_grant", 400)
    first = begin(server, device)
    second = granted(server, device, first).get("refresh_token", first)
    if second == first:
        granted(server, device, first)
        return
    retried = granted(server, device, first)
    third = retried.get("refresh_token", second)
    demand_error(refresh(server, device, first), "invalid_grant", 400)
    for value in (second, third):
        demand_error(refresh(server, device, value), "invalid_grant", 400)
    answer = server.introspect(device, retried["access_token"])
    demand_equal(answer.json(), {"active": False}, "the access token of a dead family")


def begin(server, identity):
    """The first refresh token of a session of this device, by token exchange (RFC 8693)."""
    if "refresh_token" not in server.metadata.get("grant_types_supported", []):
        raise Failed("the metadata does not offer the grant refresh_token")
    person = server.means.need("subject_token")
    more = [
        ("subject_token", person["token"]),
        ("subject_token_type", person.get("type", "urn:ietf:params:oauth:token-type:id_token")),
    ]
    answer = server.ask_token(identity, *more, grant=EXCHANGE)
    demand_equal(answer.status, 200, f"token exchange: {answer.brief()}")
    found = answer.json().get("refresh_token")
    demand(found, "token exchange gives no refresh token")
    return found


def refresh(server, identity, refresh_token):
    return server.ask_token(identity, ("refresh_token", refresh_token), grant="refresh_token", resource=False)


def granted(server, identity, refresh_token):
    answer = refresh(server, identity, refresh_token)
    demand_equal(answer.status, 200, f"refresh: {answer.brief()}")
    return answer.json()
