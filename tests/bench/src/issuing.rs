//! Issuing: the product with its ledger, next to verifying the request and signing a certificate in memory.

use crate::client::{BenchAddress, BenchTrust};
use crate::report::BenchRow;
use crate::rounds::{ROUNDS, cost, median};
use crate::servers::Tegata;
use crate::{BenchOutcome, cpu, devices, load};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CrlDistributionPoint, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use std::hint::black_box;
use std::time::Duration;

/// What a durable commit of a certificate may cost when it shares its fsync with fifty others.
const COMMIT_US: f64 = 10.0;

const CONNECTIONS: usize = 64;
const CERTIFICATES: usize = 2_000;
const IN_MEMORY: u32 = 6_000;
const TIME: Duration = Duration::from_secs(6);

/// A certificate for a new device, on a connection that has been there before.
pub async fn issue(tegata: &Tegata, trust: &BenchTrust) -> BenchOutcome<BenchRow> {
    let portal = BenchAddress::new(&tegata.portal, trust, None)?;
    let (mut us, mut limit_us) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let posts = devices::enrollments(tegata, CERTIFICATES).await?;
        let mut connections = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            connections.push(portal.connect().await?);
        }
        us.push(cost(tegata.pid(), load::once_each(connections, posts, TIME)).await?);
        limit_us.push(in_memory()? + COMMIT_US);
    }
    Ok(BenchRow { path: "issue", us: median(us), limit_us: median(limit_us) })
}

/// One request verified and one certificate signed, in microseconds.
fn in_memory() -> BenchOutcome<f64> {
    let issuer = issuer()?;
    let request = devices::request(&KeyPair::generate()?)?;
    let before = cpu::own()?;
    for serial in 0..IN_MEMORY {
        let mut asked = CertificateSigningRequestParams::from_der(&request.as_slice().into())?;
        asked.params = profile(serial)?;
        black_box(asked.signed_by(&issuer)?);
    }
    Ok((cpu::own()? - before) / f64::from(IN_MEMORY))
}

fn issuer() -> BenchOutcome<Issuer<'static, KeyPair>> {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    Ok(Issuer::new(parameters, KeyPair::generate()?))
}

/// About as much in it as in the certificate of a device.
fn profile(serial: u32) -> BenchOutcome<CertificateParams> {
    let mut parameters = CertificateParams::default();
    parameters.serial_number = Some(SerialNumber::from(u64::from(serial)));
    parameters.distinguished_name.push(DnType::CommonName, "本店 受付PC");
    let name = "tegata://tegata/device/aaaaaaaaaaaaaaaaaaaaaaaaaa";
    parameters.subject_alt_names = vec![SanType::URI(name.try_into()?)];
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    parameters.use_authority_key_identifier_extension = true;
    let crl = "http://localhost:8080/crl/aaaaaaaaaaaaaaaaaaaaaaaaaa.crl".to_owned();
    parameters.crl_distribution_points = vec![CrlDistributionPoint { uris: vec![crl] }];
    Ok(parameters)
}
