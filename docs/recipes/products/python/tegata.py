"""Lets enrolled devices into a product in Flask and nobody else: PyJWT, requests.

The settings are in the environment: rezept.env has them all.
"""

import hashlib
import logging
import os
import ssl
from base64 import urlsafe_b64encode

import jwt
import requests
from flask import Response, g, json, request

ISSUER = os.environ["TEGATA_ISSUER"]
AUDIENCE = os.environ["TEGATA_AUDIENCE"]
TLS_CA = os.environ["TEGATA_TLS_CA"]
GATES = os.environ.get("TEGATA_GATES", "").split()  # Where a gate stands before the product, the names of those gates.

platform = requests.Session()
platform.trust_env = False  # Otherwise REQUESTS_CA_BUNDLE would be believed in place of TEGATA_TLS_CA.
platform.verify = TLS_CA
if not GATES:
    identity = os.environ["TEGATA_IDENTITY"]
    platform.cert = (f"{identity}/chain.pem", f"{identity}/key.pem")
metadata = platform.get(f"{ISSUER}/.well-known/oauth-authorization-server", timeout=3).json()
if metadata["issuer"] != ISSUER:
    raise SystemExit(f"TEGATA_ISSUER is {ISSUER}, the platform is {metadata['issuer']}")
keys = jwt.PyJWKClient(
    metadata["tegata_gate_jwks_uri" if GATES else "jwks_uri"],
    lifespan=60,  # So long a key that was withdrawn is believed.
    timeout=3,
    ssl_context=ssl.create_default_context(cafile=TLS_CA),
)
log = logging.getLogger("tegata")


class Refused(Exception):
    """Why somebody does not pass, in words without secrets: they go into the answer and the log."""

    def __init__(self, status, error, description):
        super().__init__(description)
        self.status, self.error, self.description = status, error, description


def bad_token(description):
    return Refused(401, "invalid_token", description)


def bad_assertion(description):
    return Refused(400, "invalid_request", description)


def only_devices():
    """Lets a request through that its device may make, which is in `g.device` then. For `app.before_request`."""
    try:
        g.device = by_assertion() if GATES else by_token()
    except Refused as refused:
        return answer(refused)
    except (jwt.PyJWKClientConnectionError, requests.RequestException):
        return answer(Refused(503, "temporarily_unavailable", "the platform cannot be asked"))


def by_token():
    """A token that is bound to the certificate of its connection, and lives."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise Refused(401, None, "no access token")
    claims = verified("the access token", token, "at+jwt", ISSUER, bad_token)
    confirmation = claims.get("cnf")
    bound = confirmation.get("x5t#S256") if isinstance(confirmation, dict) else None
    if not bound:
        raise bad_token("the access token is bound to no certificate")
    certificate = presented()
    if not certificate:
        raise bad_token("no client certificate on the connection: does a proxy before the product end TLS?")
    if certificate != bound:
        raise bad_token("the access token is bound to another certificate than the connection's")
    if not is_live(token):
        raise bad_token("the access token, its device or its certificate was stopped")
    return claims


def by_assertion():
    """What the gate before the product says, signed, about this very request."""
    assertion = request.headers.get("Tegata-Assertion")
    if not assertion:
        raise bad_assertion(
            "Tegata-Assertion is missing: the request did not pass the gate, or the proxy drops the header"
        )
    claims = verified("Tegata-Assertion", assertion, "tegata-assertion+jwt", GATES, bad_assertion)
    path = request.environ["RAW_URI"].partition("?")[0]
    if (claims.get("htm"), claims.get("path")) != (request.method, path):
        raise bad_assertion("Tegata-Assertion is for another request")
    return claims


def verified(what, text, kind, issuer, refused):
    """The signature, and what all that is signed says about itself."""
    try:
        header = jwt.get_unverified_header(text)
        if (header.get("alg"), header.get("typ")) != ("ES256", kind):
            raise refused(f"{what} is malformed or of another type")
        key = keys.get_signing_key_from_jwt(text)
        rules = {"require": ["exp", "iat", "iss", "aud"]}
        return jwt.decode(text, key, algorithms=["ES256"], issuer=issuer, audience=AUDIENCE, leeway=5, options=rules)
    except jwt.PyJWKClientConnectionError:
        raise
    except jwt.ExpiredSignatureError:
        raise refused(f"{what} has expired") from None
    except jwt.ImmatureSignatureError:
        raise refused(f"{what} is not valid yet: compare the clocks") from None
    except jwt.InvalidIssuerError:
        raise refused(f"{what} is of another issuer") from None
    except jwt.InvalidAudienceError:
        raise refused(f"{what} is for another product") from None
    except (jwt.InvalidSignatureError, jwt.PyJWKClientError):
        raise refused(f"{what} is signed by no present key") from None
    except (jwt.PyJWTError, TypeError, ValueError):
        raise refused(f"{what} is malformed or of another type") from None


def presented():
    """SHA-256 of the certificate that the connection proved to hold, or None."""
    connection = request.environ["gunicorn.socket"]
    der = connection.getpeercert(binary_form=True) if isinstance(connection, ssl.SSLSocket) else None
    return der and urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


def is_live(token):
    """What only the platform knows: whether the device, its certificate or the token was stopped (RFC 7662)."""
    endpoint = metadata["mtls_endpoint_aliases"]["introspection_endpoint"]
    form = {"token": token, "client_id": os.environ["TEGATA_CLIENT_ID"]}
    said = platform.post(endpoint, data=form, timeout=3)
    said.raise_for_status()
    return said.json()["active"] is True


def answer(refused):
    log.warning(
        'refused status=%d error=%s description="%s" certificate=%s',
        refused.status, refused.error or "-", refused.description, presented() or "-",
    )
    headers = {"Cache-Control": "no-store"}
    if refused.status == 503:
        headers["Retry-After"] = "1"
    elif refused.error:
        description = f'error="{refused.error}", error_description="{refused.description}"'
        headers["WWW-Authenticate"] = f"Bearer {description}"
    else:  # RFC 6750 section 3.1: no error code for whoever sent no token.
        headers["WWW-Authenticate"] = "Bearer"
    body = {"error": refused.error, "error_description": refused.description}
    body = {name: value for name, value in body.items() if value}
    return Response(json.dumps(body), refused.status, headers, mimetype="application/json")
