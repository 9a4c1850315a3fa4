"""Lines 1-19: who is a client, at every endpoint where clients authenticate."""

import json
import os

from kit import jose
from kit.registry import Skipped, demand, line
from kit.server import demand_error, demand_refused, eventually


@line(1, "A client without a certificate is refused")
def no_certificate(server):
    device = server.means.need("device")
    server.obtain(device)
    demand_refused(server.ask_token(None, client_id=device.client_id), "no certificate")


@line(2, "A request without client_id gets one error, always the same")
def no_client_id(server):
    device = server.means.need("device")
    server.obtain(device)
    found = set()
    for parameters in (
        [("grant_type", "client_credentials")],
        [("grant_type", "client_credentials"), ("client_id", "")],
        [("grant_type", "password"), ("username", "u"), ("password", "p")],
        [("scope", "everything")],
        [],
    ):
        answer = server.post("token_endpoint", device, parameters)
        demand(b"access_token" not in answer.body, f"a token: {answer.brief()}")
        found.add((answer.status, answer.error()))
    demand(found in ({(401, "invalid_client")}, {(400, "invalid_request")}), f"these errors: {sorted(found)}")


@line(3, "The client_id of another device is refused")
def another_client_id(server):
    device, other = server.means.need("device"), server.means.need("other")
    for identity in (device, other):
        server.obtain(identity)
    demand_refused(server.ask_token(device, client_id=other.client_id), "another device's client_id")
    demand_refused(server.ask_token(other, client_id=device.client_id), "the other way round")


@line(4, "A certificate without the registered subject value is refused")
def subject_mismatch(server):
    clients = {kind: server.means.client(kind) for kind in ("subject_dn", "san_dns")}
    for kind, client in clients.items():
        impostor = clients["san_dns" if kind == "subject_dn" else "subject_dn"].passes
        demand_registered(server, kind, client)
        demand_not(server, impostor.called(client.passes.client_id), f"another client's certificate for {kind}")


def subject_line(number, kind, sentence):
    @line(number, sentence)
    def check(server):
        client = server.means.client(kind)
        demand_registered(server, kind, client)
        demand(client.impostors, "no impostor was given to be refused")
        for reason, impostor in client.impostors.items():
            demand_not(server, impostor, reason)


subject_line(5, "subject_dn", "Registered by subject DN: compared by attribute, not by text")
subject_line(6, "san_dns", "Registered by SAN dNSName: it passes, another does not")
subject_line(7, "san_uri", "Registered by SAN URI: it passes, another does not")
subject_line(8, "san_ip", "Registered by SAN iPAddress: it passes, another does not")
subject_line(9, "san_email", "Registered by SAN rfc822Name: it passes, another does not")


@line(10, "A registration with two subject fields is refused")
def two_subject_fields(server):
    configure = server.means.need("configure")
    accepted, said = configure(two_fields=True)
    demand(not accepted, "a server with such a registration starts")
    demand(said["names_the_line"], f"the refusal does not name the line: {said['text']}")
    accepted, said = configure(two_fields=False)
    demand(accepted, f"the same registration with one field is refused too: {said['text']}")


@line(11, "The same subject from another trusted CA is refused")
def another_trusted_ca(server):
    elsewhere = server.means.client("elsewhere")
    demand_registered(server, "the other CA", elsewhere)
    client = server.means.client("another_ca")
    demand_registered(server, "this CA", client)
    demand(client.impostors, "no impostor was given to be refused")
    for reason, impostor in client.impostors.items():
        demand_not(server, impostor, reason)


@line(12, "An expired or not yet valid certificate is refused")
def out_of_time(server):
    refuse_given(server, ("expired", "not_yet_valid"), "out_of_time")


@line(13, "A revoked or suspended certificate is refused")
def stopped(server):
    server.obtain(server.means.need("device"))
    for name in ("revoked", "suspended"):
        demand_refused(server.ask_token(server.means.need(name)), name)


@line(14, "A certificate without clientAuth, or of a CA, is refused")
def wrong_purpose(server):
    refuse_given(server, ("serving", "authority"), "wrong_purpose")


@line(15, "Only the leaf may match: a matching intermediate does not count")
def only_the_leaf(server):
    client = server.means.client("intermediate")
    demand(client.impostors, "no impostor was given to be refused")
    demand_registered(server, "the certificate that is an intermediate elsewhere", client)
    for reason, impostor in client.impostors.items():
        demand_not(server, impostor, reason)


@line(16, "self_signed_tls_client_auth: a certificate that is not registered is refused")
def not_registered(server):
    client = server.means.client("self_signed")
    demand_registered(server, "self-signed", client)
    demand(client.impostors, "no impostor was given to be refused")
    for reason, impostor in client.impostors.items():
        demand_not(server, impostor, reason)


@line(17, "self_signed_tls_client_auth: new keys in the JWKS are accepted without registering again")
def jwks_rotation(server):
    client = server.means.client("self_signed")
    if not client.rotate:
        raise Skipped("not given: the client's JWKS and its next certificate (rotate in --means)")
    following = client.rotate["next"]
    demand_registered(server, "before", client)
    demand_not(server, following, "the next certificate, before it is in the JWKS")
    with open(client.rotate["jwks"], encoding="utf-8") as file:
        before = file.read()
    try:
        write(client.rotate["jwks"], json.dumps(jose.certificate_set([following])))
        eventually(lambda: server.is_authenticated(following), 20, "the next certificate is not accepted")
        demand_not(server, client.passes, "the certificate that is no longer in the JWKS")
    finally:
        write(client.rotate["jwks"], before)
        eventually(lambda: server.is_authenticated(client.passes), 20, "the certificate of before does not come back")


def write(file, text):
    """Whole or not at all: the server may read at any moment."""
    with open(f"{file}.new", "w", encoding="utf-8") as new:
        new.write(text)
    os.replace(f"{file}.new", file)


@line(18, "A client that authenticates by TLS and also sends a secret gets invalid_request")
def secret_beside(server):
    device = server.means.need("device")
    answer = server.ask_token(device, ("client_secret", "secret"))
    demand_error(answer, "invalid_request", 400)
    basic = [("Authorization", "Basic dXNlcjpzZWNyZXQ=")]
    demand_error(server.ask_token(device, headers=basic), "invalid_request", 400)


@line(19, "Revocation, introspection and PAR enforce the same")
def everywhere_the_same(server):
    device, other = server.means.need("device"), server.means.need("other")
    endpoints = ["revocation_endpoint", "introspection_endpoint"]
    if "pushed_authorization_request_endpoint" in server.metadata:
        endpoints.append("pushed_authorization_request_endpoint")
    for endpoint in endpoints:
        ask = ask_at(server, endpoint)
        demand_refused(ask(None, device.client_id), f"{endpoint}: no certificate")
        demand_refused(ask(device, other.client_id), f"{endpoint}: another device's client_id")
        demand_error(ask(device, device.client_id, ("client_secret", "s")), "invalid_request", 400)
        missing = ask(device, "")
        demand(missing.status in (400, 401), f"{endpoint}: client_id is missing: {missing.brief()}")
        for name in ("foreign", "revoked"):
            if identity := getattr(server.means, name):
                demand_refused(ask(identity, identity.client_id), f"{endpoint}: {name}")


def ask_at(server, endpoint):
    def ask(identity, client_id, *more):
        parameters = [("token", "none"), *more]
        return server.post(endpoint, identity, [("client_id", client_id), *parameters] if client_id else parameters)

    return ask


def demand_registered(server, what, client):
    demand(server.is_authenticated(client.passes), f"the registered client itself is refused: {what}")


def demand_not(server, impostor, reason):
    demand(not server.is_authenticated(impostor), f"let in: {reason}")
    answer = server.ask_token(impostor)
    demand(b"access_token" not in answer.body, f"a token: {reason}")


def refuse_given(server, names, kind):
    """Certificates of devices by name, and those of a registered client that differ in nothing else."""
    given = {name: getattr(server.means, name) for name in names if getattr(server.means, name)}
    client = server.means.clients.get(kind)
    if not given and not client:
        raise Skipped(f"not given: {' or '.join(names)} (--{names[0].replace('_', '-')}-cert …)")
    server.obtain(server.means.need("device"))
    for name, identity in given.items():
        demand_refused(server.ask_token(identity), name)
    if client:
        demand_registered(server, kind, client)
        for reason, impostor in client.impostors.items():
            demand_not(server, impostor, reason)


