//! What is in a profile: the issuing CA, and the order to make a key and to get a certificate for it.

use super::plist::{self, Value};
use crate::desk::Desk;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tegata_ca::Issuer;
use tegata_core::encoding::hex;
use tegata_core::{Entropy, Refusal, TenantId};

/// How the device makes its key, and by which door it comes with it.
#[derive(Clone, Copy)]
pub(super) enum Key {
    /// An elliptic one.
    Acme {
        /// In the Secure Enclave.
        hardware_bound: bool,
        /// With a word of the device's maker about it, which needs the Secure Enclave.
        attest: bool,
    },
    /// An RSA key.
    Scep,
}

/// One dictionary of a property list.
type Entries<'a> = Vec<(&'static str, Value<'a>)>;

/// For one device.
pub(super) struct Profile<'a> {
    pub(super) tenant: &'a TenantId,
    pub(super) tenant_name: &'a str,
    /// As the device's settings show it.
    pub(super) name: &'a str,
    pub(super) ticket: &'a str,
    pub(super) key: Key,
}

impl Profile<'_> {
    /// The property list.
    pub(super) fn text(&self, desk: &Desk) -> Result<String, Refusal> {
        let context = &desk.context;
        let authority = desk.authorities.for_tenant(self.tenant)?;
        // A device has one profile of a tenant: the next one takes the place of the last.
        let identifier = format!("{}.{}", reversed(context.installation.as_str()), self.tenant.as_str());
        let (key, issuer) = (format!("{identifier}.key"), format!("{identifier}.issuer"));
        let uuids = [(); 3].map(|()| uuid(context.entropy.as_ref()));
        let mut certificate = head("com.apple.security.pkcs1", &issuer, &uuids[0], "Tegata CA");
        certificate.push(("PayloadContent", Value::Data(authority.issuer().certificate())));
        let directory = format!("{}/acme/device/directory", context.addresses.portal);
        let scep = format!("{}/scep", context.addresses.public);
        let key = match self.key {
            Key::Acme { hardware_bound, attest } => {
                let mut acme = head("com.apple.security.acme", &key, &uuids[1], self.name);
                acme.extend(self.acme(&directory, hardware_bound, attest));
                acme
            }
            Key::Scep => {
                let inside = Value::Dictionary(self.scep(authority.issuer(), &scep));
                let mut scep = head("com.apple.security.scep", &key, &uuids[1], self.name);
                scep.push(("PayloadContent", inside));
                scep
            }
        };
        let mut profile = head("Configuration", &identifier, &uuids[2], self.name);
        profile.extend([
            ("PayloadOrganization", Value::Text(self.tenant_name)),
            ("PayloadContent", Value::List(vec![Value::Dictionary(certificate), Value::Dictionary(key)])),
        ]);
        Ok(plist::document(&Value::Dictionary(profile)))
    }

    fn acme<'b>(
        &'b self,
        directory: &'b str,
        hardware_bound: bool,
        attest: bool,
    ) -> [(&'static str, Value<'b>); 10] {
        [
            ("DirectoryURL", Value::Text(directory)),
            ("ClientIdentifier", Value::Text(self.ticket)),
            ("KeyType", Value::Text("ECSECPrimeRandom")),
            ("KeySize", Value::Number(256)),
            ("HardwareBound", Value::Flag(hardware_bound)),
            ("Attest", Value::Flag(attest)),
            ("KeyIsExtractable", Value::Flag(false)),
            // Chrome on a Mac could not use the key otherwise; a key of the Secure Enclave is not asked.
            ("AllowAllAppsAccess", Value::Flag(!hardware_bound)),
            ("ExtendedKeyUsage", Value::List(vec![Value::Text("1.3.6.1.5.5.7.3.2")])),
            ("Subject", subject(self.name)),
        ]
    }

    fn scep<'b>(&'b self, issuer: &'b Issuer, url: &'b str) -> Entries<'b> {
        vec![
            ("URL", Value::Text(url)),
            // Comes back as the message of GetCACert, which CA of several is meant.
            ("Name", Value::Text(issuer.id().as_str())),
            ("Subject", subject(self.name)),
            ("Challenge", Value::Text(self.ticket)),
            ("Key Type", Value::Text("RSA")),
            ("Keysize", Value::Number(2048)),
            // Signing is 1, encrypting is 4: SCEP's answer is encrypted for this key.
            ("Key Usage", Value::Number(5)),
            ("KeyIsExtractable", Value::Flag(false)),
            ("AllowAllAppsAccess", Value::Flag(true)),
            ("CAFingerprint", Value::Octets(fingerprint(issuer))),
        ]
    }
}

fn head<'a>(kind: &'a str, identifier: &'a str, uuid: &'a str, name: &'a str) -> Entries<'a> {
    vec![
        ("PayloadType", Value::Text(kind)),
        ("PayloadVersion", Value::Number(1)),
        ("PayloadIdentifier", Value::Text(identifier)),
        ("PayloadUUID", Value::Text(uuid)),
        ("PayloadDisplayName", Value::Text(name)),
    ]
}

/// Devices know SHA-1 and MD5 for this and nothing else; the CA's certificate stands in the signed profile as well.
fn fingerprint(issuer: &Issuer) -> Vec<u8> {
    digest(&SHA1_FOR_LEGACY_USE_ONLY, issuer.certificate()).as_ref().to_vec()
}

/// A name of one part; the server does not read it.
fn subject(name: &str) -> Value<'_> {
    Value::List(vec![Value::List(vec![Value::List(vec![Value::Text("CN"), Value::Text(name)])])])
}

fn reversed(host: &str) -> String {
    host.rsplit('.').collect::<Vec<_>>().join(".")
}

/// A random UUID (RFC 9562 section 5.4).
fn uuid(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex(&bytes).to_uppercase();
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}
