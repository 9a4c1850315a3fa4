"""TLS for device.py, which needs the certificate of the connection and therefore no proxy before it."""

import ssl

bind = "0.0.0.0:8443"
worker_class = "gthread"
threads = 8
certfile = "/etc/rezept/server.pem"
keyfile = "/etc/rezept/server.key"
ca_certs = "/etc/rezept/tegata-chain.pem"
# Whoever has no certificate reads why instead of a broken connection.
cert_reqs = ssl.CERT_OPTIONAL


def ssl_context(_config, default):
    context = default()
    # A resumed session is not verified again.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    return context
