//! A small installation: root, issuing CA, server CA, profiles, and devices with keys.

use crate::create_ca::{
    CaName, RootAddresses, Validity, create_issuing, create_root, create_server_authority,
};
use crate::ocsp::{DelegatedResponder, ResponderCandidate};
use crate::{
    CaKey, CertificateProfile, CertificateSubject, Issuer, IssuerEndpoints, LocalKey, ParsedRequest,
    PrepareError, Prepared, PublicKey, SignedCertificate, prepare,
};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use tegata_core::encoding::base64;
use tegata_core::entropy::Seeded;
use tegata_core::{DeviceId, Installation, IssuerId, Role, Serial, Timestamp};

/// 2026-07-01T00:00:00Z, with a fraction that no certificate can express.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_782_864_000_250);

/// Where the root publishes.
pub(crate) const ADDRESSES: RootAddresses<'_> = RootAddresses {
    crl: "http://pki.example.jp/crl/root.crl",
    certificate: "http://pki.example.jp/ca/root.cer",
};

pub(crate) struct CaWorld {
    now: Timestamp,
    pub(crate) root: Issuer,
    pub(crate) issuing: Issuer,
    pub(crate) server: Issuer,
    pub(crate) endpoints: IssuerEndpoints,
    pub(crate) device_profile: CertificateProfile,
    pub(crate) gate_profile: CertificateProfile,
    pub(crate) installation: Installation,
    pub(crate) device: DeviceId,
    pub(crate) entropy: Seeded,
    folder: OnceLock<tempfile::TempDir>,
}

impl CaWorld {
    pub(crate) fn new() -> Self {
        Self::at(NOW)
    }

    /// Created at another time, for programs that know only the machine's.
    pub(crate) fn at(now: Timestamp) -> Self {
        let entropy = Seeded::new(1);
        let load = |certificate: Vec<u8>, key| {
            Issuer::load(IssuerId::random(&entropy), certificate, key, now).unwrap()
        };
        let name = |common_name| CaName { organization: "テスト薬局", common_name };
        let terms = |days| Validity { days, now, entropy: &entropy };
        let [root_key, issuing_key, server_key] = [(); 3].map(|()| key());
        let root = create_root(name("Tegata Root"), &root_key, terms(7300)).unwrap();
        let root = load(root, root_key);
        let issuing_name = name("Tegata 端末");
        let public = PublicKey::of(issuing_key.as_ref());
        let issuing = create_issuing(issuing_name, &public, &root, ADDRESSES, terms(3650)).unwrap();
        let issuing = load(issuing, issuing_key);
        let server = create_server_authority(name("Tegata Server"), &server_key, terms(3650)).unwrap();
        let profile = |text: &str| CertificateProfile::parse("test.toml", text).unwrap();
        Self {
            now,
            endpoints: IssuerEndpoints::new(&"http://pki.example.jp".parse().unwrap(), issuing.id(), 1)
                .unwrap(),
            server: load(server, server_key),
            root,
            issuing,
            device_profile: profile(include_str!("../../../../ca-config/device.toml")),
            gate_profile: profile(include_str!("../../../../ca-config/gate.toml")),
            installation: Installation::parse("tegata.example.jp").unwrap(),
            device: DeviceId::random(&entropy),
            entropy,
            folder: OnceLock::new(),
        }
    }

    /// When it was created.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) fn holder<'a>(&'a self, site: &'a str, label: &'a str) -> CertificateSubject<'a> {
        CertificateSubject {
            installation: &self.installation,
            role: Role::Device,
            device: &self.device,
            site,
            label,
        }
    }

    pub(crate) fn prepare(&self, site: &str, label: &str) -> Result<Prepared, PrepareError> {
        let request = request(&rcgen::PKCS_ECDSA_P256_SHA256);
        self.prepare_for(&self.device_profile, &self.holder(site, label), &request, self.now)
    }

    pub(crate) fn prepare_with(
        &self,
        request: &ParsedRequest,
        now: Timestamp,
    ) -> Result<Prepared, PrepareError> {
        self.prepare_for(&self.device_profile, &self.holder("本店", "受付PC"), request, now)
    }

    pub(crate) fn prepare_for(
        &self,
        profile: &CertificateProfile,
        holder: &CertificateSubject<'_>,
        request: &ParsedRequest,
        now: Timestamp,
    ) -> Result<Prepared, PrepareError> {
        prepare(&self.issuing, &self.endpoints, profile, holder, request, Serial::random(&self.entropy), now)
    }

    pub(crate) fn issue(&self, site: &str, label: &str) -> SignedCertificate {
        self.prepare(site, label).unwrap().sign(&self.issuing).unwrap()
    }

    /// A responder of the issuing CA.
    pub(crate) fn responder(&self) -> DelegatedResponder {
        let candidate =
            ResponderCandidate::new(&self.issuing, Serial::random(&self.entropy), self.now).unwrap();
        candidate.sign(&self.issuing).unwrap()
    }

    /// A file of this world that other programs can read; it goes when the world does.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.get_or_init(|| tempfile::tempdir().unwrap()).path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Certificates as a PEM file.
    pub(crate) fn pem_file(&self, name: &str, certificates: &[&[u8]]) -> PathBuf {
        self.file(name, pem(certificates).as_bytes())
    }
}

pub(crate) fn pem(certificates: &[&[u8]]) -> String {
    let block = |der: &&[u8]| {
        let text = base64(der);
        let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    };
    certificates.iter().map(block).collect()
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub(crate) fn key() -> Arc<dyn CaKey> {
    Arc::new(LocalKey::from_pkcs8(&LocalKey::generate().unwrap()).unwrap())
}

pub(crate) fn request(algorithm: &'static rcgen::SignatureAlgorithm) -> ParsedRequest {
    let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
    let request = rcgen::CertificateParams::default().serialize_request(&key).unwrap();
    ParsedRequest::parse(request.der()).unwrap()
}
