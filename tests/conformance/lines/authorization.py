"""Lines 33-35 and 65: authorization codes, for a page on a device that enters for itself."""

import base64
import hashlib
import secrets
import urllib.parse

from kit import wire
from kit.registry import demand, demand_equal, line
from kit.server import demand_error

CODE = "authorization_code"


@line(33, "A code works once; whoever shows it again ends what came of it")
def once(server):
    device = server.means.need("device")
    code, verifier = granted(server)
    answer = redeem(server, device, code, verifier)
    demand_equal(answer.status, 200, f"the first time: {answer.brief()}")
    token = answer.json()["access_token"]
    demand_error(redeem(server, device, code, verifier), "invalid_grant", 400)
    demand_equal(server.introspect(server.means.need("gate"), token).json(), {"active": False}, "its access token")


@line(34, "A code is refused from another device and from another client, and used up by neither")
def another(server):
    device, other = server.means.need("device"), server.means.need("other")
    code, verifier = granted(server)
    demand_error(redeem(server, other, code, verifier), "invalid_grant", 400)
    demand_error(redeem(server, device, code, verifier, client_id=device.client_id), "invalid_grant", 400)
    answer = redeem(server, device, code, verifier)
    demand_equal(answer.status, 200, f"the right one: {answer.brief()}")


@line(35, "PKCE: none and plain are invalid_request, a wrong verifier and another address are invalid_grant")
def pkce(server):
    device = server.means.need("device")
    for missing in ("code_challenge", "code_challenge_method"):
        demand_equal(asked(server, {missing: None}).get("error"), "invalid_request", f"without {missing}")
    demand_equal(asked(server, {"code_challenge_method": "plain"}).get("error"), "invalid_request", "plain")
    code, verifier = granted(server)
    demand_error(redeem(server, device, code, None), "invalid_request", 400)
    demand_error(redeem(server, device, code, "x" * 43), "invalid_grant", 400)
    code, verifier = granted(server)
    redirect_uri = server.means.need("page")["redirect_uri"] + "/"
    demand_error(redeem(server, device, code, verifier, redirect_uri=redirect_uri), "invalid_grant", 400)


@line(65, "A form is taken as the address that says the same, by the same rules, and by no frame")
def form(server):
    verifier, challenge = proof_key()
    page, device = server.means.need("page"), server.means.need("device")
    url, good = server.endpoint("authorization_endpoint"), list(request(page, {}, challenge, "s").items())
    told = returned(page, followed(server, url, wire.post(url, server.means.trust, device, good)))
    demand_equal((told.get("state"), told.get("iss")), ("s", server.metadata["issuer"]), "state and iss")
    answer = redeem(server, device, told.get("code"), verifier)
    demand_equal(answer.status, 200, f"its code: {answer.brief()}")
    plain = list(request(page, {"code_challenge_method": "plain"}, challenge, "s").items())
    told = returned(page, followed(server, url, wire.post(url, server.means.trust, device, plain)))
    demand_equal(told.get("error"), "invalid_request", "plain")
    framed = wire.post(url, server.means.trust, device, good, [("Sec-Fetch-Dest", "iframe")])
    demand(framed.status >= 400, f"in a frame: {framed.brief()}")


def followed(server, url, answer):
    """A redirect, or a page that opens another address by itself."""
    refresh = answer.header("Refresh") or ""
    if answer.status != 200 or "url=" not in refresh:
        return answer
    onward = urllib.parse.urljoin(url, refresh.partition("url=")[2])
    return wire.send(onward, server.means.trust, server.means.need("device"))


def asked(server, changes, challenge="E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", page="page"):
    """What the client hears at its redirect URI; state and issuer have to be right (RFC 9207)."""
    page, state = server.means.need(page), secrets.token_urlsafe(16)
    query = urllib.parse.urlencode(request(page, changes, challenge, state))
    url = f"{server.endpoint('authorization_endpoint')}?{query}"
    told = returned(page, wire.send(url, server.means.trust, server.means.need("device")))
    demand_equal((told.get("state"), told.get("iss")), (state, server.metadata["issuer"]), "state and iss")
    return told


def request(page, changes, challenge, state):
    parameters = {
        "response_type": "code", "client_id": page["client_id"], "redirect_uri": page["redirect_uri"], "state": state,
        "code_challenge": challenge, "code_challenge_method": "S256", "acr_values": page.get("acr_values"), **changes,
    }  # fmt: skip
    return {name: value for name, value in parameters.items() if value}


def returned(page, answer):
    """The parameters of a redirect to the client."""
    demand(answer.status in (302, 303), f"no redirect: {answer.brief()}")
    location = answer.header("Location") or ""
    demand(location.startswith(page["redirect_uri"] + "?"), f"elsewhere: {location}")
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(location).query))


def proof_key():
    """A verifier and its challenge (RFC 7636)."""
    verifier = secrets.token_urlsafe(32)
    digest = hashlib.sha256(verifier.encode()).digest()
    return verifier, base64.urlsafe_b64encode(digest).decode().rstrip("=")


def granted(server, page="page", **changes):
    """A code, and the verifier that goes with it."""
    verifier, challenge = proof_key()
    told = asked(server, changes, challenge, page)
    demand(told.get("code"), f"no code: {told}")
    return told["code"], verifier


def redeem(server, identity, code, verifier, client_id=None, redirect_uri=None):
    page = server.means.need("page")
    more = [("code", code), ("redirect_uri", redirect_uri or page["redirect_uri"])]
    if verifier:
        more.append(("code_verifier", verifier))
    return server.ask_token(identity, *more, client_id=client_id or page["client_id"], grant=CODE, resource=False)
