"""A head office's program: sends a list of invitations, watches it, fetches the links. Nothing but the standard library.

usage: invite.py DEVICE_URL TLS_CA CLIENT_ID CERTIFICATE KEY IDEMPOTENCY_KEY, with the list as JSON on standard input
"""

import json
import ssl
import sys
import time
import urllib.parse
import urllib.request

device, ca, client_id, certificate, key, idempotency_key = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.load_cert_chain(certificate, key)
query = "?" + urllib.parse.urlencode({"client_id": client_id})


def call(method, path, body=None):
    headers = {"idempotency-key": idempotency_key, "accept-language": "en"}
    if body is not None:
        headers["content-type"] = "application/json"
    request = urllib.request.Request(device + path + query, body, headers, method=method)
    with urllib.request.urlopen(request, context=context, timeout=30) as answer:
        return answer.status, answer.headers, json.load(answer)


status, headers, report = call("POST", "/api/v1/invitations", sys.stdin.buffer.read())
place = headers["location"]
while report["state"] != "done":
    time.sleep(0.1)
    _, _, report = call("GET", place)
links = call("POST", place + "/codes")[2] if report["codes"] == "ready" else None
print(json.dumps({"status": status, "report": report, "links": links}))
