"""Lines 66-67: clients that register themselves (RFC 7591) and manage that (RFC 7592)."""

import json
import urllib.parse

from kit import wire
from kit.registry import demand, demand_equal, line

PAGE = {
    "token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
    "redirect_uris": ["https://registered.localhost/callback"],
}  # fmt: skip


@line(66, "A client registers with an initial access token, by the rules for every client, as often as the token says")
def registers(server):
    token = server.means.need("initial_tokens").pop()
    for wrong in (None, "x", token[:-1]):
        refused = register(server, wrong, PAGE)
        demand_equal(refused.status, 401, f"with {wrong}: {refused.brief()}")
        demand("bearer" in (refused.header("WWW-Authenticate") or "").lower(), "it does not say how to ask")
    for changes, error in (
        ({"redirect_uris": ["http://registered.example/callback"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://registered.localhost/callback#x"]}, "invalid_redirect_uri"),
        ({"token_endpoint_auth_method": "client_secret_basic"}, "invalid_client_metadata"),
        ({"grant_types": ["implicit"], "response_types": ["token"]}, "invalid_client_metadata"),
        ({"scope": "nobody.has.this"}, "invalid_client_metadata"),
    ):
        refused = register(server, token, PAGE | changes)
        demand_equal((refused.status, refused.error()), (400, error), f"{changes}: {refused.brief()}")
    answer = register(server, token, PAGE)
    demand_equal(answer.status, 201, f"what is refused uses nothing up: {answer.brief()}")
    told = answer.json()
    demand(told.get("client_id") and "client_secret" not in told, f"a client without a secret: {told}")
    demand_equal(told.get("redirect_uris"), PAGE["redirect_uris"], "what was registered")
    demand_equal(register(server, token, PAGE).status, 401, "the token is used up")


@line(67, "A client reads, changes and removes its registration with the token for it, and nobody does without")
def manages(server):
    told = register(server, server.means.need("initial_tokens").pop(), PAGE).json()
    uri, token = told["registration_client_uri"], told["registration_access_token"]
    demand(urllib.parse.urlsplit(uri).scheme == "https", f"no address: {uri}")
    demand_equal(asked(server, uri, "GET", token).json().get("client_id"), told["client_id"], "its own")
    for wrong in (None, "x", token[:-1]):
        for method in ("GET", "DELETE"):
            demand_equal(asked(server, uri, method, wrong).status, 401, f"{method} with {wrong}")
    elsewhere = {"redirect_uris": ["https://registered.localhost/elsewhere"]}
    changed = asked(server, uri, "PUT", token, PAGE | elsewhere | {"client_id": told["client_id"]})
    demand_equal(changed.json().get("redirect_uris"), elsewhere["redirect_uris"], f"changed: {changed.brief()}")
    other = asked(server, uri, "PUT", token, PAGE | {"client_id": "another"})
    demand_equal(other.status, 400, f"another's: {other.brief()}")
    demand_equal(asked(server, uri, "DELETE", token).status, 204, "it is removed")
    demand_equal(asked(server, uri, "GET", token).status, 401, "and gone")


def register(server, token, client):
    return asked(server, server.endpoint("registration_endpoint"), "POST", token, client)


def asked(server, url, method, token, body=None):
    headers = [("Accept", "application/json")]
    if token is not None:
        headers.append(("Authorization", f"Bearer {token}"))
    if body is not None:
        headers.append(("Content-Type", "application/json"))
        body = json.dumps(body).encode()
    return wire.send(url, server.means.trust, None, method, headers, body)
