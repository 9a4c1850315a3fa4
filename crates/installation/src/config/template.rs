//! `tegata.toml` as `tegata init` writes it: explained, and with what may be uncommented.

use super::Pkcs11Config;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use tegata_core::HttpOrigin;

/// The file that `tegata init` writes.
pub struct ConfigTemplate<'a> {
    /// The name of the installation.
    pub installation: &'a str,
    /// The URL of the ledger.
    pub storage: &'a str,
    /// The file of the revocation log.
    pub revocations: &'a str,
    /// Whether a file unlocks the keys; a passphrase otherwise.
    pub unlock: bool,
    /// The token with the keys of CAs, if they are on one.
    pub token: Option<&'a Pkcs11Config>,
    /// How browsers reach the portal.
    pub portal: &'a HttpOrigin,
    /// How devices reach their listener.
    pub device: &'a HttpOrigin,
    /// What is written into certificates.
    pub public: &'a HttpOrigin,
    /// Where the listeners wait.
    pub listen: IpAddr,
    /// The ports of portal, device and public listener.
    pub ports: [u16; 3],
    /// The audience of the first product.
    pub audience: &'a str,
    /// Whether SCEP is spoken.
    pub scep: bool,
}

/// What may be believed of devices over ACME, for the file.
const ATTESTATION: &str = "\
# Uncomment to believe what makers of devices attest over ACME: the file has Apple's Enterprise Attestation Root CA.\n\
# [acme]\n\
# attestation_roots = \"apple-attestation.pem\"\n\
# require_attestation = false";

impl ConfigTemplate<'_> {
    /// The text of `tegata.toml`, with a comment for each setting.
    #[allow(clippy::too_many_lines)] // One text, in its order.
    pub fn render(&self) -> String {
        let Self { installation, portal, device, public, .. } = self;
        let [portal_listen, device_listen, public_listen] =
            self.ports.map(|port| SocketAddr::new(self.listen, port));
        let (storage, revocations) = (text(self.storage), text(self.revocations));
        let audience = text(self.audience);
        let host = portal.host();
        let unlock = unlock_section(self.unlock);
        let scep = if self.scep { "[scep]\nenabled = true\n" } else { "# [scep]\n# enabled = true\n" };
        let (proxy, receivers, audit) =
            (super::proxy::TEMPLATE, super::receivers::TEMPLATE, super::audit::TEMPLATE);
        let (shares, mail) = (super::shares::TEMPLATE, super::mail::TEMPLATE);
        let token = self.token.map_or_else(String::new, token_section);
        format!(
            r#"# Tegata. Unknown keys are refused with their line. Relative paths begin at this folder.

[installation]
# The authority of the URIs in certificates: a host name you own. It must never change.
name = "{installation}"
# Certificate profiles: device.toml and gate.toml.
profiles = "ca-config"

[storage]
# sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE, where several hosts may stand: a:5432,b:5432
url = {storage}
# Synchronous stand-bys of PostgreSQL that every commit has to wait for: where it would not, nothing is written.
# require_synchronous_standbys = 1

[revocations]
# What is revoked is written here too, before the ledger says so: a ledger restored from a backup reads it and does
# it again before anybody is answered. A file on another disk than the ledger, never restored with it. Each server of
# one ledger may have its own (`tegata revocations add-log`).
log = {revocations}

[keys]
folder = "keys"
{unlock}{token}
# HTTPS, never asks for a certificate: pages, API, OAuth metadata. Its URL is the OAuth issuer.
[portal]
listen = "{portal_listen}"
url = "{portal}"
certificate = "tls/portal.pem"
key = "tls/portal.key"
# Uncomment where a proxy or load balancer stands before it, which says in X-Forwarded-For who its client is: limits and
# rules are about addresses of clients.
# trusted_proxies = ["10.1.0.0/16"]

# HTTPS, asks for a certificate: tokens, renewal, probe, feed. Another host or port than the portal's.
[device]
listen = "{device_listen}"
url = "{device}"
certificate = "tls/device.pem"
key = "tls/device.key"
# Every name one label below it leads to this listener too; its certificate covers *.SUFFIX.
probe_suffix = "probe.{host}"

{proxy}{receivers}
# HTTP: CRL, OCSP, CA certificates. This URL is written into certificates: it must stay true while they live.
[public]
listen = "{public_listen}"
url = "{public}"

[tokens]
lifetime_seconds = 300
# How long a person stays signed in on a device, in any case and without using it.
refresh_minutes = 960
refresh_idle_minutes = 180
# A key signs tokens for this many days, then the next one does, announced in time; 0 for never by itself.
key_days = 90

[renewal]
# A certificate is due this many days before its end (short ones at two thirds of their life).
due_days = 30
# How long the old generation still works after the new one was used.
grace_days = 7

{audit}
{shares}

{ATTESTATION}

# For devices and managers of devices that speak SCEP, at {public}/scep. Their keys are RSA: device.toml must
# allow "rsa".
{scep}
# Uncomment for monitoring: /metrics (Prometheus), /healthz, /readyz over plain HTTP on this machine.
# [metrics]
# listen = "127.0.0.1:9464"

# A device of the system's own is enrolled, stopped, and watched at every door; 0 for never. `tegata dev` does so
# only where every_minutes is given.
# [canary]
# every_minutes = 15
# deadline_seconds = 5
# Names that DNS does not know are told of this long after a start, not before.
# grace_seconds = 300

# Whom staff call, wherever a page tells them to; a tenant or a site may say another: tegata tenant contact.
# [contact]
# name = "本部システム担当"
# phone = "03-1234-5678"

{mail}
# What tokens are for. The first is the default when a client names no resource.
[[product]]
audience = {audience}
# Only for tenants and sites with a license: tegata license grant.
# licensed = true
# Where gates serve it to browsers, beside the origin of its audience.
# origins = ["https://www.rezept.example.jp"]

# Products and programs that are nobody's device, known by their own certificates: by one value of the subject and the
# CA that issues them ([clients] ca, a ca of their own, or issued_here = true), or by a JWKS with their certificates
# (jwks, a file or the set itself, or jwks_uri).
# [clients]
# ca = "clients-ca.pem"
# crl = "clients-crl.pem"
# Products may register clients with a token of `tegata client issue-token` (RFC 7591).
# registration = true
# [[client]]
# client_id = "stock-batch"
# token_endpoint_auth_method = "tls_client_auth"
# tls_client_auth_subject_dn = "CN=stock-batch,O=Aoba"
# introspects = [{audience}]
# [[client]]
# client_id = "nightly"
# token_endpoint_auth_method = "self_signed_tls_client_auth"
# jwks = "nightly.json"
# grants = ["client_credentials"]
# audiences = [{audience}]
# A page that people sign in to, which calls from their devices.
# [[client]]
# client_id = "stock-page"
# token_endpoint_auth_method = "none"
# grants = ["authorization_code"]
# audiences = [{audience}]
# redirect_uris = ["https://rezept.example.jp/callback"]
# Where the product is behind a proxy that passes no certificates on: tokens bound to a key of the page (DPoP).
# dpop_bound_access_tokens = true
# Learns what people are called, and hears when they are signed out.
# scope = "profile"
# backchannel_logout_uri = "https://rezept.example.jp/logout"

{PEOPLE}"#
        )
    }
}

/// Where people sign in, as a new file explains it.
const PEOPLE: &str = r#"# Where the people of a tenant sign in, for tokens that name person and device. site_claim is the claim with the stores
# a person works at; without it, all of the tenant's. require tells the tenant's people from others at the same issuer.
# [[identity_provider]]
# tenant = "…"
# issuer = "https://login.example.jp"
# audiences = ["…"]
# ca = "PEM, where the system does not trust it"
# site_claim = "stores"
# require = { hd = "aoba.example.jp" }
# The sign-in page sends them there, as this client: docs/people.md.
# [identity_provider.sign_in]
# client_id = "tegata"
# client_secret = "provider-secret"
# mfa_amr = ["mfa"]
"#;

/// A text of TOML on one line, with its quotes. JSON writes it so too, except for U+007F.
fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// What unlocks the keys: a file, or a passphrase from the environment.
fn unlock_section(has_file: bool) -> &'static str {
    if has_file {
        "# Unlocks the keys. Mode 0600; keep a copy elsewhere. Without this line the passphrase is read from\n\
         # the environment variable TEGATA_PASSPHRASE.\nunlock = \"unlock.key\"\n"
    } else {
        "# The passphrase is read from the environment variable TEGATA_PASSPHRASE.\n"
    }
}

fn token_section(token: &Pkcs11Config) -> String {
    let path = |path: &Path| text(&path.display().to_string());
    let pin = match &token.pin {
        Some(file) => format!(
            "# The user's PIN, on one line. Mode 0600; keep a copy elsewhere.\npin = {}\n",
            path(file)
        ),
        None => "# The PIN is read from the environment variable TEGATA_PIN.\n".to_owned(),
    };
    format!(
        "# Keys of new CAs are made on the token: \"pkcs11\", or in the folder: \"file\".\n\
         new = \"pkcs11\"\n\n\
         [keys.pkcs11]\n\
         # The vendor's library and the token's label. Keys never leave the token: back it up by its own means.\n\
         module = {}\n\
         token = {}\n\
         {pin}",
        path(&token.module),
        text(&token.token),
    )
}
