"""A product in Python that lets enrolled devices in and nobody else: Flask, PyJWT, requests, gunicorn.

gunicorn --config gunicorn.conf.py device:app
"""

import hashlib
import ssl
from base64 import urlsafe_b64encode

import jwt
import requests
from flask import Flask, Response, abort, g, jsonify, request

ISSUER = "https://ca.example.jp"
AUDIENCE = "https://rezept.example.jp"
SELF = "ID-OF-THE-GATE"  # `tegata invite --gate rezept`; `tegata enroll … --out /etc/rezept/gate` prints it
FOLDER = "/etc/rezept"

platform = requests.Session()
platform.trust_env = False  # Otherwise REQUESTS_CA_BUNDLE would be believed in place of tls_ca.pem.
platform.verify = f"{FOLDER}/tls_ca.pem"
platform.cert = (f"{FOLDER}/gate/chain.pem", f"{FOLDER}/gate/key.pem")
metadata = platform.get(f"{ISSUER}/.well-known/oauth-authorization-server", timeout=3).json()
assert metadata["issuer"] == ISSUER, metadata["issuer"]
keys = jwt.PyJWKClient(
    metadata["jwks_uri"], timeout=3, ssl_context=ssl.create_default_context(cafile=f"{FOLDER}/tls_ca.pem")
)

app = Flask(__name__)


@app.before_request
def only_devices():
    """Lets a request through whose token is bound to the certificate of its connection, and lives."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        refuse("Bearer")
    try:
        claims = verified(token.strip())
        live = claims["cnf"]["x5t#S256"] == presented() and is_live(token.strip())
    except (jwt.PyJWKClientConnectionError, requests.RequestException):
        abort(503)  # The platform is out of reach: nobody passes.
    except (jwt.PyJWTError, KeyError, TypeError):
        live = False
    if not live:
        refuse('Bearer error="invalid_token"')
    g.device = claims


def verified(token):
    """The signature, and what the token says about itself (RFC 9068)."""
    rules = {"require": ["exp", "iat", "iss", "aud", "sub", "jti"]}
    key = keys.get_signing_key_from_jwt(token)
    whole = jwt.decode_complete(
        token, key, algorithms=["ES256"], issuer=ISSUER, audience=AUDIENCE, leeway=5, options=rules
    )
    if whole["header"].get("typ") != "at+jwt":
        raise jwt.InvalidTokenError("this is no access token")
    return whole["payload"]


def presented():
    """SHA-256 of the certificate that the connection proved to hold, or None."""
    der = request.environ["gunicorn.socket"].getpeercert(binary_form=True)
    return der and urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


def is_live(token):
    """What only the platform knows: whether the device, its certificate or the token was stopped (RFC 7662)."""
    endpoint = metadata["mtls_endpoint_aliases"]["introspection_endpoint"]
    answer = platform.post(endpoint, data={"token": token, "client_id": SELF}, timeout=3)
    answer.raise_for_status()
    return answer.json()["active"] is True


def refuse(challenge):
    abort(Response(status=401, headers={"WWW-Authenticate": challenge}))


@app.get("/")
def hello():
    return jsonify(g.device)
