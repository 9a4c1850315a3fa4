//! A registrar and its clients: messages made here, and parts made and judged by openssl.

use super::fixture::CaWorld;
use super::tools::openssl;
use crate::der::{self, is_der, tag};
use crate::keys::RsaKey;
use crate::oid;
use crate::pkcs7::{
    Algorithms, ContentCipher, ContentKey, ContentSigner, EnvelopeError, EnvelopedData, KeyTransport,
    OaepDigest, ParsedSignedData, SignatureError, seal,
};
use crate::registrar::Registrar;
use crate::scep::{CertRep, FailInfo, Fault, GrantedContent, NoMessage, ScepMessage, ScepMessageType};
use crate::{ParsedRequest, PublicKey};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use tegata_core::Entropy;
use tegata_core::entropy::{Seeded, bytes};

/// Two keys are enough, and making one takes a while.
static KEYS: LazyLock<[Vec<u8>; 2]> =
    LazyLock::new(|| [1, 2].map(|seed| RsaKey::generate(&Seeded::new(seed)).unwrap().to_vec()));

const AES128: Algorithms = Algorithms { cipher: ContentCipher::Aes128, transport: KeyTransport::Pkcs1 };
const AES256: Algorithms = Algorithms { cipher: ContentCipher::Aes256, transport: KeyTransport::Pkcs1 };
const OAEP: Algorithms = Algorithms {
    cipher: ContentCipher::Aes256,
    transport: KeyTransport::Oaep(OaepDigest::Sha256, OaepDigest::Sha1),
};

fn key(which: usize) -> RsaKey {
    RsaKey::from_pkcs8(&KEYS[which]).unwrap()
}

fn registrar(fixture: &CaWorld) -> Registrar {
    let certificate = crate::registrar::certificate_for_tests(&fixture.issuing, &key(0), fixture.now());
    Registrar::new(key(0), certificate, fixture.issuing.certificate()).unwrap()
}

/// A client with a key, a certificate that it made itself, and files for openssl.
struct ScepTestClient {
    folder: tempfile::TempDir,
    certificate: Vec<u8>,
}

impl ScepTestClient {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key.der"), &KEYS[1]).unwrap();
        let client = Self { folder, certificate: Vec::new() };
        let own = ["req", "-x509", "-new", "-subj", "/CN=client", "-days", "2", "-outform", "DER"];
        client.openssl(&[&own[..], &["-key", "key.der", "-keyform", "DER", "-out", "own.der"]].concat());
        client.openssl(&["x509", "-inform", "DER", "-in", "own.der", "-out", "own.pem"]);
        client.openssl(&["pkey", "-inform", "DER", "-in", "key.der", "-out", "key.pem"]);
        let certificate = std::fs::read(client.file("own.der")).unwrap();
        Self { certificate, ..client }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn openssl(&self, arguments: &[&str]) {
        let done = Command::new("openssl").args(arguments).current_dir(self.folder.path()).output().unwrap();
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// A PKCS#10 request with a password, as openssl makes it.
    fn request(&self, password: &str) -> Vec<u8> {
        let config = format!(
            "[req]\nprompt=no\ndistinguished_name=dn\nattributes=at\n[dn]\nCN=x\n[at]\nchallengePassword={password}\n"
        );
        std::fs::write(self.file("req.cnf"), config).unwrap();
        self.openssl(&[
            "req", "-new", "-config", "req.cnf", "-key", "key.pem", "-outform", "DER", "-out", "csr",
        ]);
        std::fs::read(self.file("csr")).unwrap()
    }

    /// What openssl makes of `input` with these arguments, and its output read back.
    fn cms(&self, input: &[u8], arguments: &[&str]) -> Vec<u8> {
        std::fs::write(self.file("in"), input).unwrap();
        let fixed = ["cms", "-binary", "-in", "in", "-out", "out"];
        self.openssl(&[&fixed[..], arguments].concat());
        std::fs::read(self.file("out")).unwrap()
    }

    /// A message to a registrar, made with the pieces that answers are made of.
    fn message(&self, fixture: &CaWorld, kind: &[u8], registrar: &Registrar, content: &[u8]) -> Vec<u8> {
        let to = PublicKey::read(registrar.key().public_key_info()).unwrap();
        let envelope = seal(content, registrar.id(), &to, AES256, &fixture.entropy).unwrap();
        self.signed(fixture, kind, &envelope)
    }

    fn signed(&self, fixture: &CaWorld, kind: &[u8], envelope: &[u8]) -> Vec<u8> {
        self.saying(fixture, kind, b"4711", Some(&[7; 16]), envelope)
    }

    fn saying(
        &self,
        fixture: &CaWorld,
        kind: &[u8],
        transaction: &[u8],
        nonce: Option<&[u8]>,
        envelope: &[u8],
    ) -> Vec<u8> {
        let signer = ContentSigner::new(Box::new(key(1)), vec![self.certificate.clone()]).unwrap();
        let name = |attribute| oid::scep(attribute);
        let (kind_name, transaction_name, nonce_name) = (name(2), name(7), name(5));
        let mut said = vec![
            (&kind_name[..], der::element(tag::PRINTABLE_STRING, &[kind])),
            (&transaction_name[..], der::element(tag::PRINTABLE_STRING, &[transaction])),
        ];
        said.extend(nonce.map(|nonce| (&nonce_name[..], der::element(tag::OCTET_STRING, &[nonce]))));
        signer.sign_with(envelope, &said, fixture.now()).unwrap()
    }
}

#[test]
fn openssl_reads_the_key_of_a_registrar_and_its_signature() {
    let client = ScepTestClient::new();
    std::fs::write(client.file("ra.der"), &KEYS[0]).unwrap();
    openssl(["pkey", "-inform", "DER", "-check", "-noout", "-in", client.file("ra.der").to_str().unwrap()]);
    client.openssl(&["pkey", "-inform", "DER", "-in", "ra.der", "-pubout", "-out", "ra.pub"]);
    std::fs::write(client.file("signature"), key(0).sign(b"message").unwrap()).unwrap();
    std::fs::write(client.file("message"), b"message").unwrap();
    client.openssl(&["dgst", "-sha256", "-verify", "ra.pub", "-signature", "signature", "message"]);
    assert!(RsaKey::from_pkcs8(&KEYS[0][1..]).is_err());
    assert!(RsaKey::from_pkcs8(&crate::LocalKey::generate().unwrap()).is_err(), "P-256");
}

#[test]
fn a_registrar_opens_what_openssl_encrypts_for_it_streamed_or_at_once() {
    let fixture = CaWorld::new();
    let (registrar, client) = (registrar(&fixture), ScepTestClient::new());
    write_pem(&client, "ra.pem", registrar.certificate());
    let content: Vec<u8> = (0..5000_u32).map(|number| number.to_le_bytes()[0]).collect();
    for length in [0, 1, 15, 16, 17, 5000] {
        for cipher in ["-aes-128-cbc", "-aes-256-cbc"] {
            for how in [&[][..], &["-stream"]] {
                let arguments = [&["-encrypt", cipher, "-outform", "DER"], how, &["ra.pem"]].concat();
                let sealed = client.cms(&content[..length], &arguments);
                let envelope = EnvelopedData::read(&sealed).unwrap();
                assert_eq!(envelope.recipients().collect::<Vec<_>>(), [registrar.id()]);
                let opened = envelope.open(registrar.id(), registrar.key(), &fixture.entropy);
                assert_eq!(*opened, content[..length], "{cipher} {how:?} {length}");
            }
        }
    }
    for weak in ["-des3", "-aes-192-cbc", "-camellia-128-cbc"] {
        let sealed = client.cms(&content, &["-encrypt", weak, "-outform", "DER", "ra.pem"]);
        assert_eq!(EnvelopedData::read(&sealed).unwrap_err(), EnvelopeError::Algorithm, "{weak}");
    }
}

#[test]
fn a_key_under_oaep_is_opened_with_every_mix_of_digests_of_openssl() {
    let fixture = CaWorld::new();
    let (registrar, client) = (registrar(&fixture), ScepTestClient::new());
    write_pem(&client, "ra.pem", registrar.certificate());
    for (digest, mask) in
        [("sha1", "sha1"), ("sha256", "sha256"), ("sha256", "sha1"), ("sha1", "sha256"), ("sha512", "sha384")]
    {
        let (digest, mask) = (format!("rsa_oaep_md:{digest}"), format!("rsa_mgf1_md:{mask}"));
        let options =
            ["-recip", "ra.pem", "-keyopt", "rsa_padding_mode:oaep", "-keyopt", &digest, "-keyopt", &mask];
        let sealed =
            client.cms(b"content", &[&["-encrypt", "-aes256", "-outform", "DER"][..], &options].concat());
        let envelope = EnvelopedData::read(&sealed).unwrap();
        assert!(matches!(envelope.algorithms().transport, KeyTransport::Oaep(..)));
        let opened = envelope.open(registrar.id(), registrar.key(), &fixture.entropy);
        assert_eq!(*opened, *b"content", "{digest} {mask}");
        let noise = envelope.open(registrar.id(), &key(1), &fixture.entropy);
        assert!(noise.len() >= 7 && *noise != *b"content", "another key opens to noise");
    }
}

#[test]
fn openssl_opens_what_is_sealed_for_a_client_and_nobody_else_does() {
    let fixture = CaWorld::new();
    let client = ScepTestClient::new();
    let signer = ContentSigner::new(Box::new(key(1)), vec![client.certificate.clone()]).unwrap();
    let public = PublicKey::read(key(1).public_key_info()).unwrap();
    for algorithms in [AES128, AES256, OAEP] {
        let sealed = seal(b"for the client", signer.id(), &public, algorithms, &fixture.entropy).unwrap();
        assert!(is_der(&sealed));
        let decrypt = ["-decrypt", "-inform", "DER", "-inkey", "key.pem", "-recip", "own.pem"];
        assert_eq!(client.cms(&sealed, &decrypt), b"for the client");
        let envelope = EnvelopedData::read(&sealed).unwrap();
        assert_eq!(*envelope.open(signer.id(), &key(1), &fixture.entropy), b"for the client");
        assert_ne!(*envelope.open(signer.id(), &key(0), &fixture.entropy), b"for the client");
    }
    let elliptic = fixture.issuing.signer().public_key_info();
    let elliptic = PublicKey::read(&elliptic).unwrap();
    assert_eq!(seal(b"", signer.id(), &elliptic, AES128, &fixture.entropy), None, "RSA alone");
}

#[test]
fn an_envelope_that_was_changed_opens_to_noise_and_says_nothing_more() {
    let fixture = CaWorld::new();
    let public = PublicKey::read(key(1).public_key_info()).unwrap();
    let id = der::sequence(&[&der::sequence(&[]), &der::unsigned(5)]);
    let sealed = seal(&[b'x'; 40], &id, &public, AES256, &fixture.entropy).unwrap();
    let (mut opened, mut unchanged) = (0, 0);
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        if let Ok(envelope) = EnvelopedData::read(&changed)
            && envelope.recipients().any(|recipient| recipient == id)
        {
            let content = envelope.open(&id, &key(1), &fixture.entropy);
            unchanged += usize::from(*content == [b'x'; 40]);
            opened += 1;
        }
    }
    assert!(opened > 250, "the key, the vector and the content: {opened}");
    assert_eq!(unchanged, 2, "the numbers of two versions, which say nothing");
    let wrong = EnvelopedData::read(&sealed).unwrap();
    let [once, again] = [1, 2].map(|seed| wrong.open(&id, &key(0), &Seeded::new(seed)).to_vec());
    assert!(once.len() >= 32 && again.len() >= 32, "as long as any other");
}

#[test]
fn a_signature_by_openssl_is_believed_with_the_allowed_digests_alone() {
    let client = ScepTestClient::new();
    let sign = |how: &[&str]| {
        let fixed = ["-sign", "-nodetach", "-outform", "DER", "-signer", "own.pem", "-inkey", "key.pem"];
        client.cms(b"content", &[&fixed[..], how].concat())
    };
    let verified = |der: &[u8]| ParsedSignedData::read(der).unwrap().verify().map(drop);
    for digest in ["sha256", "sha384", "sha512"] {
        for how in [&["-md", digest][..], &["-md", digest, "-stream"]] {
            let message = ParsedSignedData::read(&sign(how)).unwrap();
            assert_eq!(message.content, b"content");
            assert_eq!(message.signer.der, client.certificate);
            assert_eq!(message.verify().unwrap().info(), key(1).public_key_info());
        }
    }
    for weak in ["md5", "sha1", "sha224"] {
        assert_eq!(verified(&sign(&["-md", weak])), Err(SignatureError::Algorithm), "{weak}");
    }
    assert!(ParsedSignedData::read(&sign(&["-noattr"])).is_err(), "what it is for must be signed");
    assert!(ParsedSignedData::read(&sign(&["-nocerts"])).is_err());
    assert!(ParsedSignedData::read(&sign(&["-keyid"])).is_err());
    let der = sign(&[]);
    for at in 0..der.len() {
        let mut changed = der.clone();
        changed[at] ^= 1;
        if let Ok(message) = ParsedSignedData::read(&changed) {
            // What else is in the certificate that its sender made is nobody's concern.
            let is_proven = message.verify().is_ok_and(|signer| signer.info() == key(1).public_key_info());
            assert!(message.verify().is_err() || is_proven && message.content == b"content", "octet {at}");
        }
    }
}

#[test]
fn a_request_is_understood_and_answered_so_that_openssl_understands() {
    let fixture = CaWorld::new();
    let (registrar, client) = (registrar(&fixture), ScepTestClient::new());
    let csr = client.request("open-sesame");
    let bytes = client.message(&fixture, b"19", &registrar, &csr);
    let message = ScepMessage::parse(&bytes).unwrap();
    assert_eq!(message.kind(), ScepMessageType::PkcsReq);
    assert_eq!(message.recipients().collect::<Vec<_>>(), [registrar.id()]);
    let verified = message.verify().unwrap();
    let asked = verified.request(&registrar, &fixture.entropy).unwrap();
    assert!(asked.is_by(verified.key()));
    assert_eq!(asked.password.unwrap().as_str(), "open-sesame");
    assert_eq!(asked.request.key_hash(), ParsedRequest::parse(&csr).unwrap().key_hash());

    let reply = CertRep::Success(&verified, GrantedContent::Certificate(fixture.issuing.certificate()));
    let reply = reply.to(message.address(), &registrar, fixture.now(), &fixture.entropy).unwrap();
    assert!(is_der(&reply));
    write_pem(&client, "ra.pem", registrar.certificate());
    let believe = ["-verify", "-inform", "DER", "-noverify", "-certfile", "ra.pem"];
    let sealed = client.cms(&reply, &believe);
    let bag = client.cms(&sealed, &["-decrypt", "-inform", "DER", "-inkey", "key.pem", "-recip", "own.pem"]);
    assert_eq!(bag, crate::pkcs7::certs_only(&[fixture.issuing.certificate()]));

    for (reply, digit) in [(CertRep::Failure(FailInfo::BadRequest, "I-02"), "2"), (CertRep::Pending, "3")] {
        let der = reply.to(message.address(), &registrar, fixture.now(), &fixture.entropy).unwrap();
        assert_eq!(client.cms(&der, &believe), b"", "no envelope, and a signature that holds");
        let read = ParsedSignedData::read(&der).unwrap();
        let value = |attribute| read.attributes().value(&oid::scep(attribute)).unwrap();
        assert_eq!(value(3), der::element(tag::PRINTABLE_STRING, &[digit.as_bytes()]));
        assert_eq!(value(7), der::element(tag::PRINTABLE_STRING, &[b"4711"]), "the transaction");
        assert_eq!(value(6), der::element(tag::OCTET_STRING, &[&[7; 16]]), "the client's nonce");
        assert_ne!(value(5), value(6), "a nonce of its own");
    }
}

#[test]
fn every_printable_string_names_a_transaction_and_what_is_missing_is_told() {
    let fixture = CaWorld::new();
    let client = ScepTestClient::new();
    let long = "0123456789 '()+,-./:=?".repeat(40);
    for transaction in ["4711", "CN=router 1, O='Aoba' (1/2): +81?", " ", &long] {
        let bytes = client.saying(&fixture, b"19", transaction.as_bytes(), Some(&[7; 16]), b"");
        assert!(ScepMessage::parse(&bytes).is_ok(), "{transaction}");
    }
    for (transaction, nonce, detail) in [
        (&b""[..], Some(&[7; 16][..]), "transactionID"),
        (b"1", None, "senderNonce"),
        (b"1", Some(b""), "senderNonce"),
    ] {
        let bytes = client.saying(&fixture, b"19", transaction, nonce, b"");
        let Err(NoMessage::Faulty(_, fault)) = ScepMessage::parse(&bytes) else { panic!("{detail}") };
        assert!(fault.info == FailInfo::BadRequest && fault.detail.contains(detail), "{fault:?}");
    }
    // Without the signer's certificate nothing is proven, and its sender is told all the same.
    let whole = client.saying(&fixture, b"19", b"1", Some(&[7; 16]), b"");
    let other = ScepTestClient::new();
    let at = whole.windows(client.certificate.len()).position(|window| window == client.certificate).unwrap();
    let mut foreign = whole.clone();
    foreign.splice(at..at + client.certificate.len(), other.certificate.iter().copied());
    if other.certificate.len() == client.certificate.len() {
        let Err(NoMessage::Faulty(_, fault)) = ScepMessage::parse(&foreign) else {
            panic!("a stranger's certificate")
        };
        assert_eq!(fault.info, FailInfo::BadMessageCheck);
    }
    assert_eq!(ScepMessage::parse(b"no CMS").unwrap_err(), NoMessage::Unanswerable);
}

#[test]
fn noise_in_an_envelope_is_the_same_as_a_request_that_nobody_signed() {
    let fixture = CaWorld::new();
    let (registrar, client) = (registrar(&fixture), ScepTestClient::new());
    let mut unsigned = client.request("x");
    *unsigned.last_mut().unwrap() ^= 1;
    for content in [&unsigned[..], b"", b"noise", &[0x30; 2000]] {
        let bytes = client.message(&fixture, b"19", &registrar, content);
        let message = ScepMessage::parse(&bytes).unwrap();
        let asked = message.verify().unwrap().request(&registrar, &fixture.entropy);
        assert_eq!(asked.unwrap_err(), Fault::CONTENT);
    }
    let message = ScepMessage::parse(&client.signed(&fixture, b"19", b"no envelope")).unwrap();
    assert_eq!(message.verify().unwrap_err().info, FailInfo::BadMessageCheck);
}

#[test]
fn only_what_clients_send_is_a_message() {
    let fixture = CaWorld::new();
    let (registrar, client) = (registrar(&fixture), ScepTestClient::new());
    for kind in [&b"3"[..], b"0", b"", b"18", b"190"] {
        let bytes = client.message(&fixture, kind, &registrar, b"");
        let Err(NoMessage::Faulty(address, fault)) = ScepMessage::parse(&bytes) else { panic!("{kind:?}") };
        assert_eq!(fault.info, FailInfo::BadRequest);
        let reply = CertRep::Failure(fault.info, fault.detail);
        let reply = reply.to(&address, &registrar, fixture.now(), &fixture.entropy).unwrap();
        let transaction = der::element(tag::PRINTABLE_STRING, &[b"4711"]);
        let read = ParsedSignedData::read(&reply).unwrap();
        assert_eq!(read.attributes().value(&oid::scep(7)), Some(&transaction[..]), "its sender is told");
    }
    for kind in [&b"17"[..], b"19", b"20", b"21", b"22"] {
        assert!(ScepMessage::parse(&client.message(&fixture, kind, &registrar, b"")).is_ok(), "{kind:?}");
    }
    let chance = Seeded::new(3);
    for length in 0..200 {
        let mut noise = vec![0; length];
        chance.fill(&mut noise);
        assert!(ScepMessage::parse(&noise).is_err());
    }
    let bytes = client.message(&fixture, b"19", &registrar, &bytes::<40>(&chance));
    for end in 0..bytes.len() {
        assert!(ScepMessage::parse(&bytes[..end]).is_err(), "cut after {end}");
    }
}

fn write_pem(client: &ScepTestClient, name: &str, der: &[u8]) {
    let path: &Path = &client.file("some.der");
    std::fs::write(path, der).unwrap();
    client.openssl(&["x509", "-inform", "DER", "-in", "some.der", "-out", name]);
}
