"""A product in Python that lets enrolled devices in and nobody else: Flask, PyJWT, requests, gunicorn.

gunicorn --config gunicorn.conf.py device:app
"""

from flask import Flask, g, jsonify

import tegata

app = Flask(__name__)
app.before_request(tegata.only_devices)


@app.get("/")
@app.get("/<path:_path>")
def hello(_path=""):
    return jsonify(g.device)
