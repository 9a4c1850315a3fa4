"""A tenant's identity provider by pyoidc, another implementation than npm's: one person, who is signed in whenever somebody asks.

python pyoidc-provider.py '{"cert", "key", "client_id", "client_secret", "redirect_uri"}' says {"issuer"}, and {"sub"} for each ID token that it
gives.
"""

import base64
import json
import logging
import ssl
import sys
from secrets import token_hex
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from oic.oic.provider import Provider
from oic.utils.authn.authn_context import AuthnBroker
from oic.utils.authn.client import verify_client
from oic.utils.authn.user import NoAuthn
from oic.utils.authz import AuthzHandling
from oic.utils.keyio import build_keyjar
from oic.utils.sdb import create_session_db
from oic.utils.userinfo import UserInfo

logging.disable(logging.CRITICAL)
asked = json.loads(sys.argv[1])


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def say(**line):
    print(json.dumps(line), flush=True)


def document(start_response, value):
    start_response("200 OK", [("Content-type", "application/json")])
    return [json.dumps(value).encode()]


def serve(environ, start_response):
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    if path == "/.well-known/openid-configuration":
        return document(start_response, provider.create_providerinfo().to_dict())
    if path == "/jwks.json":
        return document(start_response, keys.export_jwks())
    if path == "/authorization":
        return provider.authorization_endpoint(query)(environ, start_response)
    if path == "/token":
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode()
        answer = provider.token_endpoint(body, authn=environ.get("HTTP_AUTHORIZATION", ""))
        given = json.loads(answer.message).get("id_token")
        if given:
            payload = given.split(".")[1]
            say(sub=json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"])
        return answer(environ, start_response)
    start_response("404 Not Found", [])
    return []


server = make_server("127.0.0.1", 0, serve, Server, Quiet)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(asked["cert"], asked["key"])
server.socket = context.wrap_socket(server.socket, server_side=True)
issuer = f"https://localhost:{server.server_port}"

_, keys, _ = build_keyjar([{"type": "RSA", "key": "", "use": ["sig"]}])
broker = AuthnBroker()
broker.add("urn:example:password", NoAuthn(None, "suzuki"), 1, issuer)
client = {
    "client_id": asked["client_id"],
    "client_secret": asked["client_secret"],
    "redirect_uris": [(asked["redirect_uri"], None)],
    "response_types": ["code"],
    "token_endpoint_auth_method": "client_secret_basic",
    "id_token_signed_response_alg": "RS256",
    "client_salt": "salted",
}
sessions = create_session_db(issuer, token_hex(16), token_hex(16))
people = UserInfo({"suzuki": {"name": "Suzuki"}})
provider = Provider(
    issuer, sessions, {asked["client_id"]: client}, broker, people, AuthzHandling(), verify_client,
    symkey=token_hex(8).encode(), keyjar=keys, baseurl=issuer, jwks_uri=f"{issuer}/jwks.json",
)
provider.keyjar[""] = keys[""]
provider.keyjar.add_symmetric(asked["client_id"], asked["client_secret"], usage=["enc", "sig"])
say(issuer=issuer)
server.serve_forever()
