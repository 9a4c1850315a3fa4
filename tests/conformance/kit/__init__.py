"""What the lines share: the registry, the wire, identities, tokens, the server under test."""
