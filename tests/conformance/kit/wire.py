"""HTTP over TLS, one connection a request: nothing is kept that could hide what the server does."""

import http.client
import json
import re
import ssl
import urllib.parse

from .registry import Failed

FORM = "application/x-www-form-urlencoded"
PATIENCE = 15
# What must not stand in a report.
VALUE = re.compile(r'("(?:access|refresh|id)_token"\s*:\s*")[^"]*')


class Answer:
    """An HTTP response; `status` is 0 where TLS refused the certificate before any."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        return ", ".join(value for key, value in self.headers if key.lower() == name.lower())

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            raise Failed(f"not JSON: {self.brief()}") from None

    def error(self):
        """The `error` member of an OAuth error."""
        found = self.json()
        return found.get("error") if isinstance(found, dict) else None

    def brief(self):
        if self.status == 0:
            return f"refused by TLS ({self.body.decode()})"
        text = VALUE.sub(r"\1…", self.body.decode(errors="replace"))
        return f"{self.status} {text[:200]!r}"


class Trust:
    """Who verifies the servers: a PEM file, or what the system trusts."""

    def __init__(self, pem=None):
        self.pem = pem

    def context(self, identity=None):
        context = ssl.create_default_context(cafile=self.pem)
        if identity:
            context.load_cert_chain(identity.chain, identity.key)
        return context


def connect(url, trust, identity=None, source=None):
    parts = urllib.parse.urlsplit(url)
    source = (source, 0) if source else None
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname, parts.port, PATIENCE, source)
    context = trust.context(identity)
    return http.client.HTTPSConnection(
        parts.hostname, parts.port, timeout=PATIENCE, source_address=source, context=context
    )


def send(url, trust, identity=None, method="GET", headers=(), body=None, source=None):
    """One request on a connection of its own."""
    connection = connect(url, trust, identity, source)
    try:
        return ask(connection, url, method, headers, body)
    except ssl.SSLCertVerificationError as error:
        raise Failed(f"the certificate of {url} cannot be verified: {error}") from None
    except (ssl.SSLError, ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected) as error:
        # In TLS 1.3 the client hears of a refused certificate only after its own handshake is done.
        if identity is None or not url.startswith("https:"):
            raise Failed(f"{url}: {error}") from None
        return Answer(0, [], str(error).encode())
    except OSError as error:
        raise Failed(f"{url}: {error}") from None
    finally:
        connection.close()


def ask(connection, url, method="GET", headers=(), body=None):
    """One request on a connection at hand."""
    parts = urllib.parse.urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection.putrequest(method, path)
    for name, value in headers:
        connection.putheader(name, value)
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    response = connection.getresponse()
    return Answer(response.status, response.getheaders(), response.read())


def post(url, trust, identity, parameters, headers=()):
    """A form; `parameters` are pairs, so that one may come twice."""
    body = urllib.parse.urlencode(parameters).encode()
    headers = [("Content-Type", FORM), ("Accept", "application/json"), *headers]
    return send(url, trust, identity, "POST", headers, body)
