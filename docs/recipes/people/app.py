"""A web application that knows the person before it: FastAPI and PyJWT, behind a gate with --session.

uvicorn app:app --host 127.0.0.1 --port 8080
"""

import json
import os
import ssl
from typing import Annotated
from urllib.request import urlopen

import jwt
from fastapi import Depends, FastAPI, HTTPException, Request

ISSUER, AUDIENCE = os.environ["TEGATA_ISSUER"], os.environ["TEGATA_AUDIENCE"]
GATES = os.environ["TEGATA_GATES"].split()
trust = ssl.create_default_context(cafile=os.environ["TEGATA_TLS_CA"])
with urlopen(f"{ISSUER}/.well-known/openid-configuration", timeout=3, context=trust) as answer:
    metadata = json.load(answer)
keys = jwt.PyJWKClient(metadata["tegata_gate_jwks_uri"], lifespan=60, timeout=3, ssl_context=trust)
rules = {"require": ["exp", "iat", "iss", "aud"]}


def asking(request: Request) -> dict:
    """Whom the gate let in; nobody who came another way."""
    text = request.headers.get("tegata-assertion", "")
    try:
        if jwt.get_unverified_header(text).get("typ") != "tegata-assertion+jwt":
            raise jwt.InvalidTokenError("another type")
        key = keys.get_signing_key_from_jwt(text)
        claims = jwt.decode(text, key, algorithms=["ES256"], issuer=GATES, audience=AUDIENCE, leeway=5, options=rules)
    except jwt.PyJWTError:
        raise HTTPException(401, "not through the gate", {"WWW-Authenticate": "Bearer"}) from None
    path = request.scope["raw_path"].decode("ascii").partition("?")[0]
    if (claims.get("htm"), claims.get("path")) != (request.method, path):
        raise HTTPException(401, "about another request", {"WWW-Authenticate": "Bearer"})
    return claims


app = FastAPI()


@app.get("/{_path:path}")
def me(_path: str, who: Annotated[dict, Depends(asking)]) -> dict:
    return who
