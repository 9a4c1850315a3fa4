"""The lines, by section of the list. Importing a section puts its lines into the registry."""

from . import authorization, client_authentication, introspection, issuance, proofs, refresh, registration, validator  # noqa: F401
