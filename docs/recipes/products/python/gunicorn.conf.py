"""Where device.py listens, by the settings in rezept.env."""

import os
import ssl

bind = f"{os.environ['HOST']}:{os.environ['PORT']}"
worker_class = "gthread"
threads = 8
# Behind a gate, TLS ends before the product. Otherwise it must end here: the certificate of the connection is needed.
if not os.environ.get("TEGATA_GATES"):
    certfile = os.environ["TLS_CERTIFICATE"]
    keyfile = os.environ["TLS_KEY"]
    ca_certs = os.environ["TEGATA_CLIENT_CA"]
    # Whoever has no certificate reads why instead of a broken connection.
    cert_reqs = ssl.CERT_OPTIONAL

    def ssl_context(_config, default):
        context = default()
        # A resumed session is not verified again.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
        return context
