//! What is in a profile: the issuing CA, and the order to make a key and to get a certificate for it.

use super::plist::{self, PlistValue};
use crate::enrollment_service::EnrollmentService;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tegata_ca::Issuer;
use tegata_core::encoding::hex;
use tegata_core::{Entropy, Refusal, TenantId};

/// How the device makes its key, and by which protocol it requests a certificate.
#[derive(Clone, Copy)]
pub(super) enum PayloadKey {
    /// A P-256 or P-384 key, for which the device speaks ACME.
    Acme {
        /// In the Secure Enclave.
        hardware_bound: bool,
        /// With a word of the device's maker about it, which needs the Secure Enclave.
        attest: bool,
    },
    /// An RSA key, for which the device speaks SCEP.
    Scep,
}

/// One dictionary of a property list.
type PlistEntries<'a> = Vec<(&'static str, PlistValue<'a>)>;

/// What one device's configuration profile is made from.
pub(super) struct ConfigurationProfile<'a> {
    pub(super) tenant: &'a TenantId,
    pub(super) tenant_name: &'a str,
    /// The name under which the device's settings list the profile.
    pub(super) name: &'a str,
    pub(super) ticket: &'a str,
    pub(super) key: PayloadKey,
}

impl ConfigurationProfile<'_> {
    /// The profile as a property list in XML, not signed yet.
    pub(super) fn text(&self, service: &EnrollmentService) -> Result<String, Refusal> {
        let context = &service.context;
        let authority = service.authorities.for_tenant(self.tenant)?;
        // A device has one profile of a tenant: the next one takes the place of the last.
        let identifier = format!("{}.{}", reversed(context.installation.as_str()), self.tenant.as_str());
        let (key, issuer) = (format!("{identifier}.key"), format!("{identifier}.issuer"));
        let uuids = [(); 3].map(|()| uuid(context.entropy.as_ref()));
        let mut certificate = head("com.apple.security.pkcs1", &issuer, &uuids[0], "Tegata CA");
        certificate.push(("PayloadContent", PlistValue::Data(authority.issuer().certificate())));
        let directory = format!("{}/acme/device/directory", context.addresses.portal);
        let scep = format!("{}/scep", context.addresses.public);
        let key = match self.key {
            PayloadKey::Acme { hardware_bound, attest } => {
                let mut acme = head("com.apple.security.acme", &key, &uuids[1], self.name);
                acme.extend(self.acme(&directory, hardware_bound, attest));
                acme
            }
            PayloadKey::Scep => {
                let inside = PlistValue::Dictionary(self.scep(authority.issuer(), &scep));
                let mut scep = head("com.apple.security.scep", &key, &uuids[1], self.name);
                scep.push(("PayloadContent", inside));
                scep
            }
        };
        let mut profile = head("Configuration", &identifier, &uuids[2], self.name);
        profile.extend([
            ("PayloadOrganization", PlistValue::Text(self.tenant_name)),
            (
                "PayloadContent",
                PlistValue::List(vec![PlistValue::Dictionary(certificate), PlistValue::Dictionary(key)]),
            ),
        ]);
        Ok(plist::document(&PlistValue::Dictionary(profile)))
    }

    fn acme<'b>(
        &'b self,
        directory: &'b str,
        hardware_bound: bool,
        attest: bool,
    ) -> [(&'static str, PlistValue<'b>); 10] {
        [
            ("DirectoryURL", PlistValue::Text(directory)),
            ("ClientIdentifier", PlistValue::Text(self.ticket)),
            ("KeyType", PlistValue::Text("ECSECPrimeRandom")),
            ("KeySize", PlistValue::Number(256)),
            ("HardwareBound", PlistValue::Flag(hardware_bound)),
            ("Attest", PlistValue::Flag(attest)),
            ("KeyIsExtractable", PlistValue::Flag(false)),
            // Chrome on a Mac could not use the key otherwise; a key of the Secure Enclave is not asked.
            ("AllowAllAppsAccess", PlistValue::Flag(!hardware_bound)),
            ("ExtendedKeyUsage", PlistValue::List(vec![PlistValue::Text("1.3.6.1.5.5.7.3.2")])),
            ("Subject", subject(self.name)),
        ]
    }

    fn scep<'b>(&'b self, issuer: &'b Issuer, url: &'b str) -> PlistEntries<'b> {
        vec![
            ("URL", PlistValue::Text(url)),
            // Comes back as the message of GetCACert, which CA of several is meant.
            ("Name", PlistValue::Text(issuer.id().as_str())),
            ("Subject", subject(self.name)),
            ("Challenge", PlistValue::Text(self.ticket)),
            ("Key Type", PlistValue::Text("RSA")),
            ("Keysize", PlistValue::Number(2048)),
            // Signing is 1, encrypting is 4: SCEP's answer is encrypted for this key.
            ("Key Usage", PlistValue::Number(5)),
            ("KeyIsExtractable", PlistValue::Flag(false)),
            ("AllowAllAppsAccess", PlistValue::Flag(true)),
            ("CAFingerprint", PlistValue::Octets(fingerprint(issuer))),
        ]
    }
}

fn head<'a>(kind: &'a str, identifier: &'a str, uuid: &'a str, name: &'a str) -> PlistEntries<'a> {
    vec![
        ("PayloadType", PlistValue::Text(kind)),
        ("PayloadVersion", PlistValue::Number(1)),
        ("PayloadIdentifier", PlistValue::Text(identifier)),
        ("PayloadUUID", PlistValue::Text(uuid)),
        ("PayloadDisplayName", PlistValue::Text(name)),
    ]
}

/// Devices know SHA-1 and MD5 for this and nothing else; the CA's certificate stands in the signed profile as well.
fn fingerprint(issuer: &Issuer) -> Vec<u8> {
    digest(&SHA1_FOR_LEGACY_USE_ONLY, issuer.certificate()).as_ref().to_vec()
}

/// A name of one part; the server does not read it.
fn subject(name: &str) -> PlistValue<'_> {
    PlistValue::List(vec![PlistValue::List(vec![PlistValue::List(vec![
        PlistValue::Text("CN"),
        PlistValue::Text(name),
    ])])])
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
