"""A mail server that asks for STARTTLS and a password (aiosmtpd, which others wrote): mail_server.py JSON

Prints its port, and then a line of JSON for whatever it takes or refuses. It knows no mailbox `gone`.
"""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

argument = json.loads(sys.argv[1])


def tell(**line):
    print(json.dumps(line), flush=True)


class Mailboxes:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("gone@"):
            tell(refused=550)
            return f"550 5.1.1 <{address}>: no such user"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = {part.get_content_type(): part.get_content() for part in message.walk() if not part.is_multipart()}
        tell(
            sender=envelope.mail_from, to=envelope.rcpt_tos, subject=message["subject"], by=message["from"],
            id=message["message-id"], plain=parts.get("text/plain"), html=parts.get("text/html"),
            user=session.login_data and session.login_data.decode(), tls=session.ssl is not None,
        )
        return "250 2.0.0 Ok"


def authenticate(server, session, envelope, mechanism, data):
    if (data.login, data.password) != (argument["user"].encode(), argument["password"].encode()):
        return AuthResult(success=False, handled=False)
    session.login_data = data.login
    return AuthResult(success=True, auth_data=data)


async def main():
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(argument["certificate"], argument["key"])
    mailboxes = Mailboxes()
    serving = lambda: SMTP(
        mailboxes, tls_context=tls, require_starttls=True, auth_required=True, authenticator=authenticate,
        hostname="localhost",
    )
    server = await asyncio.get_running_loop().create_server(serving, "127.0.0.1", 0)
    tell(port=server.sockets[0].getsockname()[1])
    await server.serve_forever()


asyncio.run(main())
