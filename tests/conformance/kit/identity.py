"""A client certificate with its key, as files."""

import base64
import hashlib
import re
import ssl
import subprocess


class Identity:
    """`chain` is PEM, leaf first; `client_id` is what the holder calls itself at OAuth endpoints."""

    def __init__(self, chain, key, client_id=None):
        self.chain, self.key = str(chain), str(key)
        with open(self.chain, encoding="ascii") as file:
            self.pem = first_certificate(file.read())
        self.der = ssl.PEM_cert_to_DER_cert(self.pem)
        self.client_id = client_id or last_segment_of_san_uri(self.pem)

    @property
    def thumbprint(self):
        """RFC 8705 section 3.1."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.der).digest()).rstrip(b"=").decode()

    @property
    def hex_thumbprint(self):
        return hashlib.sha256(self.der).hexdigest()

    def called(self, client_id):
        return Identity(self.chain, self.key, client_id)


def first_certificate(text):
    found = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", text, re.DOTALL)
    if not found:
        raise ValueError("no certificate in the PEM file")
    return found.group()


def last_segment_of_san_uri(pem):
    """How a device of Tegata is called; other servers' clients are called by --client-id."""
    command = ["openssl", "x509", "-noout", "-ext", "subjectAltName"]
    shown = subprocess.run(command, input=pem, capture_output=True, text=True, check=False).stdout
    found = re.search(r"URI:(\S+?)(?:,|\s|$)", shown)
    return found.group(1).rstrip("/").rsplit("/", 1)[-1] if found else None
