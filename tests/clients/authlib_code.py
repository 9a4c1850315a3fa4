"""PyPI's authlib, used as its documentation shows: an authorization code with PKCE, an ID token, userinfo and a refresh, by a
backend with a certificate of its own (RFC 8705), which requests presents as it presents every client certificate."""

import json
import subprocess
import sys
from pathlib import Path

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata, get_well_known_url
from joserfc import jwt
from joserfc.jwk import KeySet

asked = json.loads(sys.argv[1])
own, device = asked["backend"], asked["device"]
address = get_well_known_url(asked["issuer"], external=True)
metadata = OpenIDProviderMetadata(requests.get(address, verify=device["ca"], timeout=10).json())

client = OAuth2Session(
    own["client_id"], token_endpoint_auth_method="none", scope="openid profile", redirect_uri=own["redirect_uri"],
    code_challenge_method="S256",
)  # fmt: skip
client.cert, client.verify = (own["cert"], own["key"]), own["ca"]
# Otherwise a bundle that the environment names is believed in place of `verify`.
client.trust_env = False
verifier, nonce = "v" * 64, "the nonce of this sign-in"
url, state = client.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
visit = {"device": device, "setup": asked["setup"], "password": asked["password"], "login": asked["login"], "url": url}
browser = ["node", str(Path(__file__).with_name("visit.mjs")), json.dumps(visit | {"until": own["redirect_uri"]})]
back = json.loads(subprocess.run(browser, check=True, capture_output=True, text=True).stdout)["url"]

token = client.fetch_token(
    metadata["token_endpoint"], authorization_response=back, code_verifier=verifier, state=state
)
keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"], verify=device["ca"], timeout=10).json())
options = {
    "iss": {"essential": True, "value": asked["issuer"]},
    "aud": {"essential": True, "value": own["client_id"]},
}
parameters = {"nonce": nonce, "client_id": own["client_id"], "access_token": token["access_token"]}
id_token = jwt.decode(token["id_token"], keys, algorithms=["ES256"])
claims = CodeIDToken(id_token.claims, id_token.header, options, parameters)
claims.validate()
userinfo = client.get(metadata["userinfo_endpoint"])
refreshed = client.refresh_token(metadata["token_endpoint"], token["refresh_token"])
print(
    json.dumps(
        {
            "claims": claims, "userinfo": userinfo.json(), "refreshed": refreshed["token_type"],
            "another": refreshed["access_token"] != token["access_token"],
        }
    )
)  # fmt: skip
