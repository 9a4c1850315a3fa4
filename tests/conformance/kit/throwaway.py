"""A server that is gone afterwards, with everything that all lines need."""

import contextlib
import json
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from subprocess import PIPE

from . import wire
from .authority import CA, SERVER, Authority, make_self_signed, openssl, self_signed
from .gate import Gate
from .identity import Identity
from .means import Means
from .people import People
from .registrations import Registrations
from .wire import Trust

PRODUCT = "https://product.localhost"
SCOPE = "conformance.read"
OTHER_PRODUCT = "https://other-product.localhost"
PAGE = {
    "client_id": "conformance-page", "redirect_uri": f"{PRODUCT}/callback", "acr_values": "urn:tegata:acr:device",
}  # fmt: skip
PAGE_SECTION = f"""
[[client]]
client_id = "{PAGE["client_id"]}"
token_endpoint_auth_method = "none"
grants = ["authorization_code"]
audiences = ["{PRODUCT}"]
redirect_uris = ["{PAGE["redirect_uri"]}"]
"""
PAGE_BY_KEY = {**PAGE, "client_id": "conformance-page-by-key"}
PAGE_BY_KEY_SECTION = f"""{PAGE_SECTION.replace(PAGE["client_id"], PAGE_BY_KEY["client_id"])}
dpop_bound_access_tokens = true
"""
START = 60
ANY_PORTS = ["--portal-port", "0", "--device-port", "0", "--public-port", "0"]


class Product(BaseHTTPRequestHandler):
    """Whoever comes here was let in by somebody else."""

    def do_GET(self):  # noqa: N802: the library's name
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class ThrowAway:
    """`tegata dev` and `tegata gate` in a temporary folder; a context manager that gives the means."""

    def __init__(self, tegata):
        self.tegata = str(tegata)
        self.processes = []

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="tegata-conformance-"))
        self.data = self.folder / "data"
        try:
            return self.furnish()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        for process in reversed(self.processes):
            end(process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def furnish(self):
        """Clients are registered before the second start: the first one makes the installation."""
        (self.folder / "clients").mkdir()
        registrations = Registrations(self.folder / "clients")
        people = People(self.folder / "people")
        self.start(*ANY_PORTS)
        end(self.processes.pop())
        configuration = self.data / "tegata.toml"
        first = f'audience = "{PRODUCT}"\n'
        text = configuration.read_text(encoding="utf-8").replace(first, f'{first}scopes = ["{SCOPE}"]\n')
        configuration.write_text(text, encoding="utf-8")
        with open(configuration, "a", encoding="utf-8") as opened:
            opened.write(f'\n[[product]]\naudience = "{OTHER_PRODUCT}"\n{registrations.configuration()}')
            opened.write(people.configuration(self.tenant()))
            opened.write(PAGE_SECTION + PAGE_BY_KEY_SECTION)
        ready = self.start()
        means = Means(ready["issuer"], Trust(ready["tls_ca"]), PRODUCT)
        means.clients, means.other_resource = registrations.clients, OTHER_PRODUCT
        means.configure = lambda two_fields: self.configure(registrations.faulty(two_fields))
        self.enroll_everybody(means)
        self.impersonate(means)
        means.page, means.page_by_key = PAGE, PAGE_BY_KEY
        means.initial_tokens = [self.initial_token() for _ in range(2)]
        means.subject_token = {"token": people.id_token()}
        means.signing_key = self.opened_token_key()
        means.gates = [self.gate(means), self.front(means, ready["chain"])]
        means.scoped_gate, means.scope = self.gate(means, "--scope", SCOPE), SCOPE
        return means

    def tenant(self):
        """Whose devices are enrolled here: the tenant that the installation began with."""
        return json.loads(self.command("tenant", "list", "--json"))[0]["tenant"]

    def initial_token(self):
        return json.loads(self.command("client", "issue-token", "--audience", PRODUCT, "--json"))["token"]

    def enroll_everybody(self, means):
        for name in ("device", "other", "revoked", "suspended"):
            setattr(means, name, self.enroll(name))
        means.gate = self.enroll("gate", "--gate")
        means.disposable = [self.enroll(f"disposable-{number}") for number in range(12)]
        data = ["--data", str(self.data)]
        means.stop_device = [self.tegata, "device", "revoke", "--yes", "{device}", *data]
        means.stop_certificate = [self.tegata, "certificate", "revoke", "--yes", "{thumbprint}", *data]
        means.renew = self.renew
        self.command("device", "revoke", "--yes", means.revoked.client_id)
        self.command("device", "suspend", means.suspended.client_id)

    def impersonate(self, means):
        """Certificates with a device's name that are signed by nobody of ours, or by our issuing key but wrongly."""
        name = means.device.client_id
        shown = openssl("x509", "-in", means.device.chain, "-noout", "-ext", "subjectAltName")
        uri = shown.split("URI:")[1].split(",")[0].strip()
        means.foreign = self_signed(self.folder / "foreign", "foreign", name)
        chain = Path(means.device.chain).read_text(encoding="ascii")
        issuing = self.folder / "issuing.pem"
        issuing.write_text(chain[chain.index("-----END CERTIFICATE-----") + 26 :].strip() + "\n", encoding="ascii")
        key = next((self.data / "keys").glob("issuing-*.pem"))
        genuine = Authority(self.folder / "issuing", certificate=issuing, key=self.opened_key(key.stem))
        san = f"URI:{uri}"
        for field, more in (
            ("expired", {"begins": -9}),
            ("not_yet_valid", {"begins": 2}),
            ("serving", {"extensions": SERVER}),
            ("authority", {"extensions": CA}),
        ):
            setattr(means, field, genuine.issue(field, "/CN=device", san=san, client_id=name, **more))

    def start(self, *ports):
        """Whatever it prints is the line of JSON that says where it is."""
        log = open(self.folder / "server.log", "ab")  # noqa: SIM115: the process keeps it
        command = [self.tegata, "dev", "--json", "--data", str(self.data), *ports]
        process = subprocess.Popen(command, stdout=PIPE, stderr=log, stdin=subprocess.DEVNULL)
        line = process.stdout.readline()
        if not line:
            process.wait(START)
            raise RuntimeError(f"tegata dev does not start: {self.last_words()}")
        self.processes.append(process)
        return json.loads(line)

    def last_words(self):
        return (self.folder / "server.log").read_text(encoding="utf-8")[-1000:].strip()

    def configure(self, more):
        """Whether another server starts with this registration, and how it says no."""
        data = Path(tempfile.mkdtemp(prefix="configured-", dir=self.folder))
        self.run("init", "--data", str(data))
        file = data / "tegata.toml"
        with open(file, "a", encoding="utf-8") as opened:
            opened.write(more)
        command = [self.tegata, "dev", "--data", str(data), "--json", *ANY_PORTS]
        process = subprocess.Popen(command, stdout=PIPE, stderr=PIPE, stdin=subprocess.DEVNULL)
        if process.stdout.readline():
            end(process)
            return True, {"text": "", "names_the_line": False}
        text = process.communicate()[1].decode()
        number = 1 + file.read_text(encoding="utf-8").splitlines().index('client_id = "faulty"')
        near = [f"line {each}" for each in range(number - 1, number + 5)]
        return False, {"text": text, "names_the_line": any(each in text for each in near)}

    def enroll(self, name, kind="--label"):
        out = self.folder / "identities" / name
        invitation = json.loads(self.command("invite", kind, name, "--json"))["url"]
        tls_ca = str(self.data / "tls" / "ca.pem")
        told = json.loads(self.run("enroll", invitation, "--out", str(out), "--tls-ca", tls_ca, "--json"))
        return Identity(out / "chain.pem", out / "key.pem", told["device"])

    def renew(self, identity):
        """In a copy of its folder: the old certificate is still needed."""
        before = Path(identity.chain).parent
        after = before.with_name(f"{before.name}-renewed")
        shutil.copytree(before, after)
        self.run("renew", str(after), "--tls-ca", str(self.data / "tls" / "ca.pem"))
        return Identity(after / "chain.pem", after / "key.pem", identity.client_id)

    def gate(self, means, *more):
        """One that a proxy asks."""
        port = free_port()
        self.start_gate(means, port, *more)
        wait_for(f"http://127.0.0.1:{port}/health")
        return Gate(f"http://127.0.0.1:{port}/check", means.trust, "rfc9440")

    def front(self, means, chain):
        """One that is the proxy, before a product that lets everybody in."""
        port, health = free_port(), free_port()
        tls, key = self.folder / "front.pem", self.folder / "front.key"
        make_self_signed(key, tls, "/CN=localhost", "subjectAltName=DNS:localhost")
        product = HTTPServer(("127.0.0.1", 0), Product)
        threading.Thread(target=product.serve_forever, daemon=True).start()
        self.start_gate(
            means, port, "--upstream", f"http://127.0.0.1:{product.server_address[1]}", "--certificate", str(tls),
            "--key", str(key), "--client-ca", chain, "--health", f"127.0.0.1:{health}",
        )  # fmt: skip
        wait_for(f"http://127.0.0.1:{health}/health")
        return Gate(f"https://localhost:{port}/", Trust(str(tls)))

    def start_gate(self, means, port, *more):
        name = f"checkpoint-{port}"
        self.enroll(name, "--gate")
        command = [
            self.tegata, "gate", "--issuer", means.issuer, "--audience", means.resource,
            "--identity", str(self.folder / "identities" / name), "--tls-ca", means.trust.pem,
            "--listen", f"127.0.0.1:{port}", "--certificate-header", "rfc9440", *more,
        ]  # fmt: skip
        log = open(self.folder / "gate.log", "ab")  # noqa: SIM115: the process keeps it
        self.processes.append(subprocess.Popen(command, stderr=log, stdout=log, stdin=subprocess.DEVNULL))

    def opened_key(self, name):
        """A key of the installation without its lock: it is thrown away with it."""
        return self.unlocked(name, self.data / "keys" / f"{name}.pem")

    def opened_token_key(self):
        """The key that signs tokens. It is a sealed row of the ledger."""
        with contextlib.closing(sqlite3.connect(self.data / "ledger.db")) as ledger:
            (key,) = ledger.execute("SELECT sealed_key FROM token_key ORDER BY signs_from DESC").fetchone()
        sealed = self.folder / "token.sealed"
        sealed.write_text(key, encoding="utf-8")
        return self.unlocked("token", sealed)

    def unlocked(self, name, sealed):
        opened = self.folder / f"{name}.opened"
        openssl("pkey", "-in", sealed, "-passin", f"file:{self.data / 'unlock.key'}", "-out", opened)
        return str(opened)

    def command(self, *arguments):
        return self.run(*arguments, "--data", str(self.data))

    def run(self, *arguments):
        command = [self.tegata, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
        return done.stdout


def end(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for(url):
    until = time.monotonic() + START
    while True:
        try:
            if wire.send(url, Trust()).status == 200:
                return
        except Exception:  # noqa: BLE001: not yet
            pass
        if time.monotonic() > until:
            raise RuntimeError(f"{url} does not come up")
        time.sleep(0.05)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
