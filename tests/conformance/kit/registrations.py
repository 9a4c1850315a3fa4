"""The registered clients of the throw-away server, with impostors that differ from them in one thing each."""

import json

from . import jose
from .authority import CA, NO_PURPOSE, SERVER, Authority, self_signed
from .means import Client

DN = "/C=JP/O=Aoba Pharmacy/CN=stock-batch"
# The same name spelled otherwise: RFC 4514 leaves case of types and the escaping of characters to the writer.
DN_TEXT = r"cn=stock\2dbatch,O=Aoba\20Pharmacy,C=JP"


class Registrations:
    """Certificates in `folder`, and the configuration that registers them."""

    def __init__(self, folder):
        self.folder = folder
        self.ours = Authority(folder / "ca", "/O=Conformance/CN=Client CA")
        self.theirs = Authority(folder / "other-ca", "/O=Conformance/CN=Another Client CA")
        self.jwks = folder / "batch-jwks.json"
        self.clients, self.sections = {}, []
        self.subject_dn()
        self.subject_alternative_names()
        self.elsewhere()
        self.out_of_time_and_purpose()
        self.intermediate()
        self.self_signed()

    def configuration(self):
        head = f'\n[clients]\nregistration = true\nca = "{self.ours.certificate}"\n'
        return head + "".join(self.sections)

    def faulty(self, two_fields):
        """A registration to be refused, and the same one in order."""
        second = 'tls_client_auth_san_dns = "faulty.example"\n' if two_fields else ""
        text = f'tls_client_auth_subject_dn = "CN=faulty"\n{second}ca = "{self.ours.certificate}"\n'
        return section("faulty", "tls_client_auth", text)

    def register(self, kind, client_id, field, value, passes, impostors, more=""):
        text = f'tls_client_auth_{field} = {json.dumps(value)}\n{more}'
        self.sections.append(section(client_id, "tls_client_auth", text))
        self.clients[kind] = Client(passes, impostors)

    def subject_dn(self):
        issue = lambda name, subject: self.ours.issue(f"dn-{name}", subject, client_id="stock-batch")  # noqa: E731
        self.register(
            "subject_dn", "stock-batch", "subject_dn", DN_TEXT, issue("good", DN),
            {
                "another CN": issue("cn", "/C=JP/O=Aoba Pharmacy/CN=stock-batch2"),
                "a space in the place of the hyphen": issue("space", "/C=JP/O=Aoba Pharmacy/CN=stock batch"),
                "one attribute whose text is the whole name": issue("text", r"/CN=stock-batch,O=Aoba Pharmacy,C=JP"),
                "the attributes in another order": issue("order", "/CN=stock-batch/O=Aoba Pharmacy/C=JP"),
                "one attribute more": issue("more", "/C=JP/O=Aoba Pharmacy/OU=Stock/CN=stock-batch"),
                "one attribute less": issue("less", "/O=Aoba Pharmacy/CN=stock-batch"),
                "the same values in other attributes": issue("types", "/C=JP/OU=Aoba Pharmacy/CN=stock-batch"),
                "two attributes in one set": issue("set", "/C=JP/O=Aoba Pharmacy+CN=stock-batch"),
            },
        )  # fmt: skip

    def subject_alternative_names(self):
        for field, form, good, wrong in (
            ("san_dns", "DNS", "batch.product.example", "batch2.product.example"),
            ("san_uri", "URI", "https://product.example/batch", "https://product.example/batch/2"),
            ("san_ip", "IP", "192.0.2.7", "192.0.2.77"),
            ("san_email", "email", "batch@product.example", "batch2@product.example"),
        ):
            client_id = f"by-{field}"
            issue = lambda name, san: self.ours.issue(f"{client_id}-{name}", "/CN=batch", san=san, client_id=client_id)  # noqa: E731, B023
            bare = self.ours.issue(f"{client_id}-cn", f"/CN={good.replace('/', '-')}", client_id=client_id)
            other_form = "URI" if form != "URI" else "DNS"
            self.register(
                field, client_id, field, good, issue("good", f"DNS:first.example,{form}:{good}"),
                {
                    "another value": issue("wrong", f"{form}:{wrong}"),
                    "the value in a name of another form": issue("form", f"{other_form}:{good}"),
                    "the value as CN alone": bare,
                },
            )  # fmt: skip

    def elsewhere(self):
        subject = "/O=Elsewhere/CN=nightly"
        ca = f'ca = "{self.theirs.certificate}"\n'
        theirs = self.theirs.issue("nightly", subject, client_id="elsewhere")
        ours = self.ours.issue("nightly-here", subject, client_id="elsewhere")
        self.register(
            "elsewhere", "elsewhere", "subject_dn", "CN=nightly,O=Elsewhere", theirs, {"this CA's": ours}, ca
        )
        passes = self.ours.issue("twin", "/CN=twin", client_id="twin")
        impostor = self.theirs.issue("twin", "/CN=twin", client_id="twin")
        forger = Authority(self.folder / "forger", "/O=Conformance/CN=Client CA")
        forged = forger.issue("twin", "/CN=twin", client_id="twin")
        impostors = {"the other trusted CA's": impostor, "a CA's that only has the same name": forged}
        self.register("another_ca", "twin", "subject_dn", "CN=twin", passes, impostors)

    def out_of_time_and_purpose(self):
        issue = lambda name, **more: self.ours.issue(f"clock-{name}", "/CN=clock", client_id="clock", **more)  # noqa: E731
        good = issue("good")
        out_of_time = {"expired": issue("past", begins=-9), "not yet valid": issue("future", begins=2)}
        self.register("out_of_time", "clock", "subject_dn", "CN=clock", good, out_of_time)
        wrong_purpose = {
            "for servers only": issue("server", extensions=SERVER),
            "for no named purpose": issue("none", extensions=NO_PURPOSE),
            "a CA's": issue("ca", extensions=CA),
        }
        self.clients["wrong_purpose"] = Client(good, wrong_purpose)

    def intermediate(self):
        client_id = "middle"
        leaf = self.ours.issue("middle-good", "/CN=middle", client_id=client_id)
        middle = self.ours.issue("middle-ca", "/CN=middle", extensions=CA, client_id=client_id)
        below = self.ours.below("below", middle, "/CN=below", client_id)
        beside = self.ours.issue("beside", "/CN=beside", client_id=client_id)
        chain = self.folder / "beside-chain.pem"
        chain.write_text(beside.pem + leaf.pem, encoding="ascii")
        impostors = {
            "below an intermediate with the registered name": below,
            "the registered certificate sent along": type(leaf)(chain, beside.key, client_id),
        }
        self.register("intermediate", client_id, "subject_dn", "CN=middle", leaf, impostors)

    def self_signed(self):
        make = lambda name, **more: self_signed(self.folder / "self", name, "batch", **more)  # noqa: E731
        good, following, stranger = make("good"), make("next"), make("stranger")
        self.jwks.write_text(json.dumps(jose.certificate_set([good])), encoding="ascii")
        self.sections.append(section("batch", "self_signed_tls_client_auth", f'jwks = "{self.jwks}"\n'))
        impostors = {
            "another self-signed certificate of the same name": stranger,
            "a certificate of a trusted CA": self.ours.issue("batch", "/CN=self-signed", client_id="batch"),
        }
        self.clients["self_signed"] = Client(good, impostors, {"jwks": str(self.jwks), "next": following})


def section(client_id, method, text):
    return f'\n[[client]]\nclient_id = "{client_id}"\ntoken_endpoint_auth_method = "{method}"\n{text}'
