//! What a product embeds: certificate, token, binding and status, checked at every request.
