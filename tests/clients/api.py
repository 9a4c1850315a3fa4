"""A program that knows nothing but the description of the API: it enrolls, delivers and renews, and holds every answer
against what is described.

usage: api.py DESCRIPTION TLS_CA CODE FOLDER, where the folder has first.csr, second.csr (base64) and first.key
"""

import base64
import json
import pathlib
import sys

import requests
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

url, ca, code, folder = sys.argv[1:]
folder = pathlib.Path(folder)
description = requests.get(url, verify=ca, timeout=30).json()
validate(description)


def fits(schema, value):
    Draft202012Validator({**schema, "components": description["components"]}).validate(value)


def call(operation, body=None, certificate=None, server=0, expected=None):
    path, item = next(
        (path, item)
        for path, item in description["paths"].items()
        if item.get("post", {}).get("operationId") == operation
    )
    described = item["post"]
    if body is not None:
        fits(described["requestBody"]["content"]["application/json"]["schema"], body)
    answer = requests.post(item["servers"][server]["url"] + path, json=body, cert=certificate, verify=ca, timeout=30)
    if answer.status_code >= 400:
        assert answer.status_code == expected, answer.text
        fits({"$ref": "#/components/schemas/Problem"}, answer.json())
        return answer.json()
    assert expected is None, f"{operation}: {answer.status_code} instead of a refusal"
    content = described["responses"][str(answer.status_code)].get("content")
    if content is None:
        assert not answer.content, answer.content
        return None
    ((media, form),) = content.items()
    assert answer.headers["content-type"].startswith(media), answer.headers
    fits(form["schema"], answer.json())
    return answer.json()


def text(name):
    return (folder / name).read_text().strip()


def keep(issued, name):
    lines = base64.encodebytes(base64.b64decode(issued["certificate"])).decode()
    (folder / name).write_text(f"-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")
    return str(folder / name), str(folder / "first.key")


invitation = call("openInvitation", {"code": code})
first = call("enroll", {"code": code, "csr": text("first.csr")})
call("deliver", {"code": code, "thumbprint": first["thumbprint"]})
refused = call("enroll", {"code": code, "csr": text("second.csr")}, expected=409)
certificate = keep(first, "first.pem")
renewal = {"csr": text("second.csr"), "token": {"scope": "nothing-of-the-kind"}}
second = call("renew", renewal, certificate)
call("deliver", {"thumbprint": second["thumbprint"]}, certificate, server=1)
print(json.dumps({"label": invitation["label"], "device": [first["device"], second["device"]],
                  "generation": [first["generation"], second["generation"]], "refused": refused["code"],
                  "token": second.get("token_error", {}).get("error")}))
