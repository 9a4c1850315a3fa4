"""Whether an OAuth server and its gates keep the lines of certificate-bound tokens.

Without --issuer a throw-away server is started and everything is tried. With --issuer any server is tested, as far as
the means given allow; lines whose means are missing are skipped, with the reason. Exit codes: 0 nothing failed,
1 something failed, 2 misuse.
"""

import argparse
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import lines  # noqa: E402, F401
from kit import means as means_of  # noqa: E402
from kit import report  # noqa: E402
from kit.gate import Gate  # noqa: E402
from kit.identity import Identity  # noqa: E402
from kit.registry import LINES  # noqa: E402
from kit.server import Server  # noqa: E402
from kit.throwaway import ThrowAway  # noqa: E402
from kit.wire import Trust  # noqa: E402


def main():
    parser = arguments()
    options = parser.parse_args()
    if options.list:
        for number in sorted(LINES):
            print(f"{number:>4}  {LINES[number].sentence}")
        return 0
    if unknown := set(options.only or ()) - set(LINES):
        parser.error(f"there is no line {sorted(unknown)[0]}")
    if options.issuer:
        return examine(given_means(parser, options), options)
    with ThrowAway(options.tegata) as means:
        return examine(means, options)


def examine(means, options):
    began = time.monotonic()
    heard = (lambda result: None) if options.json else report.tell
    results = report.run(Server(means), options.only, heard)
    if options.json:
        report.write_json(results)
    else:
        report.tell_summary(results, began)
    return 1 if any(result.outcome == report.FAILED for result in results) else 0


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/conformance", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--list", action="store_true", help="show the lines")
    parser.add_argument("--only", type=int, nargs="+", metavar="N", help="these lines alone")
    parser.add_argument("--tegata", default=os.environ.get("TEGATA_BIN", "tegata"), help="program to throw away")
    parser.add_argument("--issuer", metavar="URL", help="the OAuth issuer of the server to test")
    parser.add_argument("--tls-ca", metavar="PEM", help="verifies the server; otherwise what the system trusts")
    parser.add_argument("--resource", metavar="URL", help="the product to ask tokens for")
    parser.add_argument("--other-resource", metavar="URL", help="another product")
    parser.add_argument("--client-id", metavar="ID", help="of --cert; otherwise the end of its SAN URI")
    parser.add_argument("--cert", metavar="PEM", help=means_of.IDENTITIES["device"])
    parser.add_argument("--key", metavar="PEM")
    for name in list(means_of.IDENTITIES)[1:]:
        flag = name.replace("_", "-")
        parser.add_argument(f"--{flag}-cert", metavar="PEM", help=means_of.IDENTITIES[name].split(" (")[0])
        parser.add_argument(f"--{flag}-key", metavar="PEM")
        parser.add_argument(f"--{flag}-client-id", metavar="ID")
    parser.add_argument("--gate", metavar="URL", action="append", default=[], help="https:// of a gate, or http:// of its check for proxies")
    parser.add_argument("--scoped-gate", metavar="URL", help="a gate that demands a scope")
    parser.add_argument("--scope", metavar="SCOPE", help="the scope it demands, which --cert may ask for")
    parser.add_argument("--gate-header", choices=("rfc9440", "nginx"), default="rfc9440", help="how a proxy hands certificates over")
    parser.add_argument("--signing-key", metavar="PEM", help=means_of.OTHERS["signing_key"].split(" (")[0])
    parser.add_argument("--subject-token", metavar="JWT", help="a person's ID token that belongs to --cert, for token exchange")
    parser.add_argument("--means", metavar="JSON", help="file with more: see tests/conformance/README.md")
    return parser


def given_means(parser, options):
    means = means_of.Means(options.issuer, Trust(options.tls_ca), options.resource)
    if options.means:
        means_of.read_file(means, options.means)
    for name in means_of.IDENTITIES:
        prefix = "" if name == "device" else f"{name}_"
        cert, key = getattr(options, f"{prefix}cert"), getattr(options, f"{prefix}key")
        if bool(cert) != bool(key):
            parser.error(f"--{prefix.replace('_', '-')}cert and --{prefix.replace('_', '-')}key belong together")
        if cert:
            client_id = getattr(options, f"{prefix}client_id")
            identity = Identity(cert, key, client_id)
            if not identity.client_id:
                parser.error(f"{cert} has no SAN URI that ends with the client's name: say --{prefix.replace('_', '-')}client-id")
            setattr(means, name, identity)
    if not means.device:
        parser.error("--issuer needs --cert and --key at least")
    make_gate = lambda url: Gate(url, means.trust, options.gate_header)  # noqa: E731
    means.gates = [make_gate(url) for url in options.gate]
    means.scoped_gate = make_gate(options.scoped_gate) if options.scoped_gate else None
    for name in ("signing_key", "other_resource", "scope"):
        setattr(means, name, getattr(options, name) or getattr(means, name))
    if options.subject_token:
        means.subject_token = {"token": options.subject_token}
    return means


if __name__ == "__main__":
    sys.exit(main())
