"""What pyhanko-certvalidator says of certificates, a line for each: good, revoked WHY, or bad WHY.

    pyhanko.py ROOT ISSUING LIST (crl|ocsp) CERTIFICATE FILE …

Each certificate is judged by the CRL or OCSP response (DER) in the file after it, and by nothing else; the issuing CA
by LIST, which is - where it names none.
"""

import asyncio
import sys
from pathlib import Path

from asn1crypto import crl, ocsp, pem, x509
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import PathValidationError, RevokedError


def main(root, issuing, root_list, kind, *pairs):
    lists = [] if root_list == "-" else [crl.CertificateList.load(Path(root_list).read_bytes())]
    for certificate, file in zip(pairs[::2], pairs[1::2]):
        document = Path(file).read_bytes()
        known = {
            "crls": lists + ([crl.CertificateList.load(document)] if kind == "crl" else []),
            "ocsps": [ocsp.OCSPResponse.load(document)] if kind == "ocsp" else [],
        }
        print(asyncio.run(verdict(read(root), read(issuing), read(certificate), known)))


async def verdict(root, issuing, certificate, known):
    # hard-fail: a certificate that names a source of revocations must have been looked up.
    context = ValidationContext(
        trust_roots=[root], other_certs=[issuing], revocation_mode="hard-fail", allow_fetching=False, **known
    )
    validator = CertificateValidator(certificate, validation_context=context)
    try:
        await validator.async_validate_usage({"digital_signature"}, {"client_auth"})
        return "good"
    except RevokedError as error:
        return f"revoked {error}"
    except PathValidationError as error:
        return f"bad {type(error).__name__}"


def read(file):
    return x509.Certificate.load(pem.unarmor(Path(file).read_bytes())[2])


main(*sys.argv[1:])
