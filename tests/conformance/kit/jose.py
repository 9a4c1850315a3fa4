"""Tokens: read, verified, and forged in every way that a validator must see through."""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import tempfile

from .registry import Failed

P256_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def part(value):
    """A header or payload; text is taken as it is, so that it may be malformed on purpose."""
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return encode(text.encode())


def read(token):
    """Header and claims, unverified."""
    try:
        header, claims, _ = token.split(".")
        return json.loads(decode(header)), json.loads(decode(claims))
    except ValueError:
        raise Failed(f"not a JWT: {token[:40]}…") from None


def unsigned(header, claims):
    return f"{part(header)}.{part(claims)}."


def hs256(secret, header, claims):
    signed = f"{part(header)}.{part(claims)}"
    return f"{signed}.{encode(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def es256(key, header, claims):
    """Signed by the P-256 key of a PEM file."""
    signed = f"{part(header)}.{part(claims)}"
    command = ["openssl", "dgst", "-sha256", "-sign", str(key)]
    der = subprocess.run(command, input=signed.encode(), capture_output=True, check=True).stdout
    return f"{signed}.{encode(raw_signature(der))}"


def verifies(token, jwk):
    """Whether a key of kind EC P-256 signed it, as openssl sees it."""
    signed, _, signature = token.rpartition(".")
    with tempfile.TemporaryDirectory() as folder:
        names = [os.path.join(folder, name) for name in ("key.pem", "signature", "signed")]
        contents = [spki_pem(jwk), der_signature(decode(signature)), signed.encode()]
        for name, content in zip(names, contents):
            with open(name, "wb") as file:
                file.write(content)
        command = ["openssl", "dgst", "-sha256", "-verify", names[0], "-signature", *names[1:]]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def spki_pem(jwk):
    der = P256_SPKI + decode(jwk["x"]) + decode(jwk["y"])
    lines = base64.encodebytes(der)
    return b"-----BEGIN PUBLIC KEY-----\n" + lines + b"-----END PUBLIC KEY-----\n"


def jwk_of(key):
    """The public half of a P-256 key in a PEM file."""
    command = ["openssl", "pkey", "-in", str(key), "-pubout", "-outform", "DER"]
    der = subprocess.run(command, capture_output=True, check=True).stdout
    x, y = der[-64:-32], der[-32:]
    return {"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)}


def certificate_set(identities):
    """A JWKS of self-signed certificates (RFC 8705 section 2.2.2)."""
    keys = []
    for number, identity in enumerate(identities):
        x5c = [base64.b64encode(identity.der).decode()]
        keys.append(jwk_of(identity.key) | {"kid": f"{number}-{identity.thumbprint}", "use": "sig", "x5c": x5c})
    return {"keys": keys}


def raw_signature(der):
    """r and s of 32 bytes each (RFC 7518 section 3.4) out of an ASN.1 SEQUENCE of two INTEGERs."""
    numbers, rest = [], der[2:]
    while rest:
        length = rest[1]
        numbers.append(int.from_bytes(rest[2 : 2 + length], "big"))
        rest = rest[2 + length :]
    return b"".join(number.to_bytes(32, "big") for number in numbers)


def der_signature(raw):
    def integer(data):
        data = data.lstrip(b"\0") or b"\0"
        data = b"\0" + data if data[0] & 0x80 else data
        return bytes([2, len(data)]) + data

    body = integer(raw[:32]) + integer(raw[32:])
    return bytes([0x30, len(body)]) + body
