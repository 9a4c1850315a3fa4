"""idpyoidc, a certified OpenID provider in Python, as a tenant's identity provider: its own login page, keys and logout.

Its one argument is JSON with the files of its server, and whom it knows: one client. It prints its issuer, and where an address is
a person's. Whoever says a name is signed in by it: that is proof enough here.
"""

import json
import os
import ssl
import sys
import tempfile
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from cryptojwt.jwk.hmac import SYMKey
from idpyoidc.message.oauth2 import ResponseMessage
from idpyoidc.message.oidc import AccessTokenRequest, AuthorizationRequest
from idpyoidc.server import Server
from idpyoidc.server.configure import OPConfiguration
from idpyoidc.server.oidc.session import Session
from idpyoidc.server.oidc.token import Token
from idpyoidc.server.user_authn.user import UserAuthnMethod, create_signed_jwt

ASKED = json.loads(sys.argv[1])
PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:InternetProtocolPassword"
PAGE = '<!doctype html><html lang="ja"><title>Midori</title><form method="post" action="{action}">{fields}</form></html>'
HIDDEN = '<input type="hidden" name="{name}" value="{value}">'


class ByName(UserAuthnMethod):
    """The login page, and who has sent it."""

    def __call__(self, **kwargs):
        context = self.upstream_get("context")
        token = create_signed_jwt(context.issuer, self.upstream_get("attribute", "keyjar"), **kwargs)
        field = '<label for="person">ID</label><input id="person" name="person"><button id="log-in">OK</button>'
        return PAGE.format(action="/login", fields=HIDDEN.format(name="token", value=token) + field)

    def verify(self, **kwargs):
        return kwargs["person"]


class EndSession(Session):
    """A browser that signs out does not authenticate as a client: the `id_token_hint` names it."""

    def client_authentication(self, *_, **__):
        return {}


def named(user_id, *_, **__):
    """People are called at every client what they are called here."""
    return user_id


def configuration(issuer):
    """The code flow with PKCE, a secret, and logout by the browser and behind it."""

    def endpoint(path, kind, **kwargs):
        return {"path": path, "class": kind if isinstance(kind, type) else f"idpyoidc.server.oidc.{kind}", "kwargs": kwargs}

    secrets = ["client_secret_post", "client_secret_basic"]
    algorithms = ["ES256", "RS256"]
    keys = [{"type": "RSA", "use": ["sig"]}, {"type": "EC", "crv": "P-256", "use": ["sig"]}]
    sealing = [{"type": "OCT", "use": ["enc"], "kid": "enc"}, {"type": "OCT", "use": ["sig"], "kid": "sig"}]
    return {
        "issuer": issuer,
        "keys": {"key_defs": keys, "uri_path": "jwks.json"},
        "cookie_handler": {
            "class": "idpyoidc.server.cookie_handler.CookieHandler",
            "kwargs": {
                "keys": {"key_defs": sealing},
                "name": {"session": "op", "register": "op_rp", "session_management": "sman"},
            },
        },
        "add_on": {
            "pkce": {
                "function": "idpyoidc.server.oauth2.add_on.pkce.add_support",
                "kwargs": {"essential": True, "code_challenge_methods": {"S256": None}},
            }
        },
        "preference": {"subject_types_supported": ["public"], "id_token_signing_alg_values_supported": algorithms},
        "authentication": {"user": {"acr": PASSWORD, "class": ByName, "kwargs": {}}},
        "session_params": {"sub_func": {"public": {"function": named}}},
        "endpoint": {
            "provider_config": endpoint(
                ".well-known/openid-configuration", "provider_config.ProviderConfiguration", client_authn_method=None
            ),
            "authorization": endpoint(
                "authorization", "authorization.Authorization", client_authn_method=None, response_types_supported=["code"]
            ),
            "token": endpoint("token", "token.Token", client_authn_method=secrets),
            "session": endpoint(
                "session",
                EndSession,
                logout_verify_url=f"{issuer}/leaving",
                post_logout_uri_path="left",
                signing_alg="ES256",
                backchannel_logout_supported=True,
                backchannel_logout_session_supported=True,
            ),
        },
        "token_handler_args": {
            "key_conf": {"key_defs": sealing},
            "code": {"lifetime": 60},
            "token": {"class": "idpyoidc.server.token.jwt_token.JWTToken", "kwargs": {"lifetime": 300}},
            "id_token": {"class": "idpyoidc.server.token.id_token.IDToken", "kwargs": {"lifetime": 300}},
        },
        "userinfo": {"class": "idpyoidc.server.user_info.UserInfo", "kwargs": {"db": {}}},
    }


class Handler(BaseHTTPRequestHandler):
    """What comes by HTTP goes to the endpoint of its path."""

    def do_GET(self):
        url = urlsplit(self.path)
        self.answer(url.path, dict(parse_qsl(url.query)))

    def do_POST(self):
        form = self.rfile.read(int(self.headers["content-length"])).decode()
        self.answer(urlsplit(self.path).path, dict(parse_qsl(form)))

    def answer(self, path, fields):
        provider = self.server.provider
        if path == "/jwks.json":
            self.say(200, provider.keyjar.export_jwks_as_json(), "application/json")
        elif path == "/login":
            self.log_in(fields)
        elif path == "/leaving":
            leave = HIDDEN.format(name="sjwt", value=fields["sjwt"]) + '<button id="leave">OK</button>'
            self.say(200, PAGE.format(action="/leave", fields=leave))
        elif path == "/leave":
            self.leave(fields)
        else:
            own = [one for one in provider.endpoint.values() if f"/{one.endpoint_path}" == path]
            self.ask(own[0], fields) if own else self.say(404, "")

    def ask(self, endpoint, fields):
        cookies = SimpleCookie(self.headers.get("cookie", ""))
        about = {
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "method": self.command,
            "url": f"{self.server.provider.issuer}{self.path}",
            "cookie": [{"name": name, "value": morsel.value} for name, morsel in cookies.items()],
        }
        request = endpoint.parse_request(fields, http_info=about)
        if isinstance(request, ResponseMessage) and "error" in request:
            self.say(400, request.to_json(), "application/json")
            return
        if isinstance(endpoint, Token):
            request = AccessTokenRequest(**request)
        args = endpoint.process_request(request, http_info=about)
        if "redirect_location" in args:
            self.lead(args["redirect_location"], args.get("cookie", []))
        elif "http_response" in args:
            self.say(200, args["http_response"], cookies=args.get("cookie", []))
        else:
            self.respond(endpoint, request, args)

    def respond(self, endpoint, request, args):
        info = endpoint.do_response(request=request, **args)
        if info.get("response_placement", endpoint.response_placement) == "body":
            status = info.get("response_code", 400 if "error" in args else 200)
            self.say(status, info["response"], dict(info["http_headers"]).get("Content-type", "application/json"))
        else:
            self.lead(info["response"], info.get("cookie", []))

    def log_in(self, fields):
        provider = self.server.provider
        method = provider.context.authn_broker.get_method_by_id("user")
        asked = method.unpack_token(fields["token"])
        request = AuthorizationRequest().from_urlencoded(asked["query"])
        endpoint = provider.get_endpoint("authorization")
        person, now = method.verify(**fields), asked["iat"]
        session = endpoint.create_session(request, person, asked["authn_class_ref"], now, method)
        self.respond(endpoint, request, endpoint.authz_part2(request=request, session_id=session))

    def leave(self, fields):
        endpoint = self.server.provider.get_endpoint("session")
        about = endpoint.unpack_signed_jwt(fields["sjwt"])
        endpoint.do_verified_logout(alla=True, sid=about["sid"])
        self.lead(about["redirect_uri"], endpoint.kill_cookies())

    def say(self, status, text, kind="text/html; charset=utf-8", cookies=()):
        body = text.encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.give(cookies)
        self.end_headers()
        self.wfile.write(body)

    def lead(self, location, cookies):
        self.send_response(303)
        self.send_header("location", location)
        self.send_header("content-length", "0")
        self.give(cookies)
        self.end_headers()

    def give(self, cookies):
        for cookie in [cookies] if isinstance(cookies, dict) else cookies:
            end = "; Max-Age=0" if cookie.get("max_age") == -1 else ""
            self.send_header("set-cookie", f'{cookie["name"]}={cookie["value"]}; Path=/; Secure; HttpOnly; SameSite=Lax{end}')


def main():
    os.chdir(tempfile.mkdtemp())
    os.environ["REQUESTS_CA_BUNDLE"] = ASKED["client_ca"]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(ASKED["cert"], ASKED["key"])
    server.socket = trust.wrap_socket(server.socket, server_side=True)
    issuer = f"https://localhost:{server.server_port}"
    server.provider = Server(OPConfiguration(conf=configuration(issuer), base_path=os.getcwd()))
    client = ASKED["client"]
    server.provider.context.cdb[client["client_id"]] = {
        **client,
        "redirect_uris": [(uri, {}) for uri in client["redirect_uris"]],
        "post_logout_redirect_uri": [(uri, {}) for uri in client["post_logout_redirect_uris"]],
        "response_types_supported": ["code"],
        "allowed_scopes": ["openid", "profile"],
        "id_token_signed_response_alg": "ES256",
    }
    server.provider.keyjar.add_symmetric(client["client_id"], client["client_secret"])
    print(json.dumps({"issuer": issuer}), flush=True)
    server.serve_forever()


main()
