"""What the kit is given to work with. Whatever is not given makes the lines that need it skipped, with the reason."""

import json
import re
import tempfile
from pathlib import Path

from .identity import Identity
from .registry import Skipped
from .wire import Trust

# What may be given, and how it is called when it is missed.
IDENTITIES = {
    "device": "a client with a certificate in force (--cert, --key)",
    "other": "a second client's certificate (--other-cert, --other-key)",
    "gate": "a client that may introspect the tokens of others (--gate-cert, --gate-key)",
    "foreign": "a certificate of an authority that the server does not trust (--foreign-cert, --foreign-key)",
    "revoked": "a revoked certificate (--revoked-cert, --revoked-key)",
    "suspended": "the certificate of a suspended client (--suspended-cert, --suspended-key)",
    "expired": "a certificate past its last day (--expired-cert, --expired-key)",
    "not_yet_valid": "a certificate before its first day (--not-yet-valid-cert, --not-yet-valid-key)",
    "serving": "a certificate for servers only, with a client's name (--serving-cert, --serving-key)",
    "authority": "a CA certificate with a client's name (--authority-cert, --authority-key)",
}

OTHERS = {
    "signing_key": "the key that signs the server's tokens, to forge with it (--signing-key)",
    "gates": "a gate (--gate)",
    "scoped_gate": "a gate that demands a scope (--scoped-gate)",
    "scope": "the scope that it demands (--scope)",
    "other_resource": "the name of a second product (--other-resource)",
    "subject_token": "a person's token for token exchange (--subject-token)",
    "page": "a public client that devices enter for themselves (page in --means)",
    "page_by_key": "a public client whose tokens are bound to its key (page_by_key in --means)",
    "initial_tokens": "initial access tokens, each for one client (initial_tokens in --means)",
    "stop_device": "a command that revokes a device (stop_device in --means)",
    "stop_certificate": "a command that revokes a certificate (stop_certificate in --means)",
    "renew": "a command that renews a client's certificate (renew in --means)",
    "configure": "a way to register a client with a faulty registration",
}


class Means:
    """Attributes are the names above; absent ones are None."""

    def __init__(self, issuer, trust=None, resource=None):
        self.issuer, self.trust, self.resource = issuer, trust or Trust(), resource
        for name in (*IDENTITIES, *OTHERS):
            setattr(self, name, None)
        self.gates, self.clients, self.disposable = [], {}, []
        self._workshop = tempfile.TemporaryDirectory(prefix="conformance-")

    def folder(self, name):
        """A folder of its own for what a line makes."""
        folder = Path(self._workshop.name) / name
        folder.mkdir(exist_ok=True)
        return folder

    def need(self, name):
        found = getattr(self, name)
        if not found:
            raise Skipped(f"not given: {(IDENTITIES | OTHERS)[name]}")
        return found

    def client(self, kind):
        """A registered client, as `clients` of --means describes it."""
        if kind not in self.clients:
            raise Skipped(f"not given: a client registered by {kind} (clients in --means)")
        return self.clients[kind]

    def spend(self):
        """A client that will not live through the line."""
        if not self.disposable:
            raise Skipped("not given: clients that may be stopped for ever (disposable in --means)")
        return self.disposable.pop()


class Client:
    """A registered client: who passes, and impostors with the reason why each must not."""

    def __init__(self, passes, impostors=None, rotate=None):
        self.passes, self.impostors, self.rotate = passes, impostors or {}, rotate


def read_file(means, file):
    """Adds what a --means file describes; see README.md for its form."""
    with open(file, encoding="utf-8") as opened:
        given = json.load(opened)
    for name in IDENTITIES:
        if name in given:
            setattr(means, name, identity(given[name]))
    for name in (set(OTHERS) - {"configure"}) & set(given):
        setattr(means, name, given[name])
    means.disposable = [identity(each) for each in given.get("disposable", [])]
    for kind, client in given.get("clients", {}).items():
        impostors = {reason: identity(each) for reason, each in client.get("impostors", {}).items()}
        rotate = client.get("rotate")
        rotate = rotate and {"jwks": rotate["jwks"], "next": identity(rotate["next"])}
        means.clients[kind] = Client(identity(client), impostors, rotate)


def identity(given):
    return Identity(given["cert"], given["key"], given.get("client_id"))


def fill(command, **values):
    """A command of a --means file with its placeholders."""
    return [re.sub(r"\{(\w+)\}", lambda found: str(values[found.group(1)]), word) for word in command]
