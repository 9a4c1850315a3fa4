"""A CA of the kit's own, made with openssl: registered clients get their certificates from it, and so do impostors."""

import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

from .identity import Identity

CONFIGURATION = """
[ca]
default_ca = here
[here]
dir = {folder}
database = $dir/index
new_certs_dir = $dir
certificate = {certificate}
private_key = {key}
default_md = sha256
default_days = 7
rand_serial = yes
unique_subject = no
policy = anything
email_in_dn = no
[anything]
countryName = optional
organizationName = optional
organizationalUnitName = optional
commonName = optional
"""

LEAF = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n"
SERVER = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n"
NO_PURPOSE = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
CA = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign,digitalSignature\nextendedKeyUsage=clientAuth\n"


class Authority:
    """Made in `folder`, or working with a certificate and key that are there."""

    def __init__(self, folder, subject=None, certificate=None, key=None):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.certificate = Path(certificate or self.folder / "ca.pem")
        self.key = Path(key or self.folder / "ca.key")
        if subject:
            make_self_signed(self.key, self.certificate, subject, CA)
        (self.folder / "index").touch()
        self.configuration = self.folder / "openssl.cnf"
        text = CONFIGURATION.format(folder=self.folder, certificate=self.certificate, key=self.key)
        self.configuration.write_text(text, encoding="utf-8")

    def issue(self, name, subject, extensions=LEAF, san=None, client_id=None, begins=-1, days=7):
        """A certificate in files called `name`; `begins` is in days from now."""
        key, request = self.folder / f"{name}.key", self.folder / f"{name}.csr"
        make_key(key)
        openssl("req", "-new", "-key", key, "-subj", "/CN=request", "-out", request)
        certificate = self.certify(name, request, subject, extensions, san, begins, days)
        return Identity(certificate, key, client_id or "-")

    def below(self, name, intermediate, subject, client_id):
        """A leaf by an intermediate of this CA, sent together with it."""
        authority = Authority(self.folder / name, certificate=intermediate.chain, key=intermediate.key)
        leaf = authority.issue("leaf", subject, client_id=client_id)
        chain = self.folder / f"{name}-chain.pem"
        chain.write_text(leaf.pem + intermediate.pem, encoding="ascii")
        return Identity(chain, leaf.key, client_id)

    def certify(self, name, request, subject, extensions, san, begins, days):
        file, certificate = self.folder / f"{name}.ext", self.folder / f"{name}.pem"
        file.write_text(extensions + (f"subjectAltName={san}\n" if san else ""), encoding="utf-8")
        first = datetime.now(timezone.utc) + timedelta(days=begins)
        window = [moment.strftime("%Y%m%d%H%M%SZ") for moment in (first, first + timedelta(days=days))]
        openssl(
            "ca", "-config", self.configuration, "-batch", "-notext", "-preserveDN", "-in", request, "-out", certificate,
            "-subj", subject, "-extfile", file, "-startdate", window[0], "-enddate", window[1],
        )  # fmt: skip
        return certificate


def self_signed(folder, name, client_id=None, subject="/CN=self-signed"):
    """A certificate that vouches for itself."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    make_self_signed(key, certificate, subject, LEAF)
    return Identity(certificate, key, client_id or "-")


def make_key(file):
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", file)


def make_self_signed(key, certificate, subject, extensions):
    make_key(key)
    added = [argument for line in extensions.split() for argument in ("-addext", line)]
    openssl("req", "-x509", "-key", key, "-subj", subject, "-days", "7", *added, "-out", certificate)


def openssl(*arguments):
    command = ["openssl", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
    return done.stdout
