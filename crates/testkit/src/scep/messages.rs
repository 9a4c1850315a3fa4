//! Messages put together and taken apart: openssl has the keys, encrypts and signs, and what goes around that is written here. Messages are
//! BER, streamed, as Apple's are. Nothing is sent, so that tests of the server's parts use it too.

use super::encoding::{self, integer, octets, oid, open, printable, sequence, tagged};
use std::cell::Cell;
use std::path::PathBuf;
use std::process::Command;

/// Kinds of messages.
pub const PKCS_REQ: &str = "19";
/// The next certificate.
pub const RENEWAL_REQ: &str = "17";
/// What has become of it.
pub const CERT_POLL: &str = "20";
/// One's own certificate.
pub const GET_CERT: &str = "21";
/// A revocation list.
pub const GET_CRL: &str = "22";

const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const FAIL_INFO_TEXT: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x18, 0x01];

/// Writes and reads messages, with a folder for its keys.
#[derive(Debug)]
pub struct Scribe {
    folder: PathBuf,
    counter: Cell<u32>,
    /// The second at which answers are read, where that is not now.
    pub reads_at: Option<i64>,
}

/// One message, before it is put together.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// [`PKCS_REQ`] or another.
    pub kind: &'a str,
    /// The transaction's identifier.
    pub transaction: &'a str,
    /// The files `NAME.key` and `NAME.pem` sign it.
    pub signer: &'a str,
    /// `sha256`, or another digest that openssl knows.
    pub digest: &'a str,
    /// `aes-256-cbc`, or another cipher that openssl knows.
    pub cipher: &'a str,
    /// What goes in the envelope, DER.
    pub content: Vec<u8>,
}

/// An answer in kind.
#[derive(Debug)]
pub struct Reply {
    /// 0 for success, 2 for failure, 3 for waiting.
    pub status: String,
    /// The digit of a failure.
    pub fail_info: String,
    /// What it says besides: our code first.
    pub text: String,
    /// Whether it answers this transaction and this nonce.
    pub is_ours: bool,
    /// What is in the envelope: a bag, DER.
    pub bag: Vec<u8>,
}

impl Scribe {
    /// One that has been given the certificates, a bag: `ra.pem` is the one to write to, `ca.pem` the others.
    pub fn new(folder: PathBuf, certificates: &[u8]) -> Self {
        let scribe = Self { folder, counter: Cell::new(0), reads_at: None };
        scribe.hear_of(certificates);
        scribe
    }

    /// Writes to the one in this bag from now on.
    pub fn hear_of(&self, certificates: &[u8]) {
        self.write("cas.p7", certificates);
        let all = self.openssl(&["pkcs7", "-inform", "DER", "-in", "cas.p7", "-print_certs"]);
        let (mut ra, mut cas) = (String::new(), String::new());
        for certificate in pems(&all) {
            self.write("some.pem", certificate.as_bytes());
            let usage = self.openssl(&["x509", "-in", "some.pem", "-noout", "-ext", "keyUsage"]);
            // Which one to write to is found as devices find it: by what its key may do.
            if usage.contains("Key Encipherment") { &mut ra } else { &mut cas }.push_str(&certificate);
        }
        assert_eq!(ra.matches("BEGIN").count(), 1, "one to write to");
        self.write("ra.pem", ra.as_bytes());
        self.write("ca.pem", cas.as_bytes());
    }

    /// A key and a certificate for it that nobody else vouches for: `NAME.key` and `NAME.pem`.
    pub fn new_key(&self, name: &str) {
        self.openssl(&["genrsa", "-out", &format!("{name}.key"), "2048"]);
        let own = ["req", "-x509", "-new", "-sha256", "-subj", "/CN=device", "-days", "2"];
        self.openssl(&[&own[..], &["-key", &format!("{name}.key"), "-out", &format!("{name}.pem")]].concat());
    }

    /// A PKCS#10 request for `NAME.key` with a subject and, if it is not empty, a password.
    pub fn request(&self, name: &str, subject: &str, password: &str) -> Vec<u8> {
        let attributes = if password.is_empty() {
            String::new()
        } else {
            format!("attributes=at\n[at]\nchallengePassword={password}\n")
        };
        let config = format!(
            "[dn]\nCN={subject}\n[req]\nprompt=no\nstring_mask=utf8only\ndistinguished_name=dn\n{attributes}"
        );
        self.write("request.cnf", config.as_bytes());
        let key = format!("{name}.key");
        self.openssl(&[
            "req",
            "-new",
            "-config",
            "request.cnf",
            "-key",
            &key,
            "-outform",
            "DER",
            "-out",
            "request.der",
        ]);
        self.read("request.der")
    }

    /// A first request as a device makes it.
    pub fn first<'a>(&self, name: &'a str, transaction: &'a str, password: &str) -> Message<'a> {
        Message {
            kind: PKCS_REQ,
            transaction,
            signer: name,
            digest: "sha256",
            cipher: "aes-256-cbc",
            content: self.request(name, "somebody else", password),
        }
    }

    /// The bytes of a message, and the nonce in it.
    pub fn put_together(&self, message: &Message<'_>) -> (Vec<u8>, Vec<u8>) {
        let envelope = self.envelope(&message.content, message.cipher);
        self.sign(message, &envelope)
    }

    /// An envelope for the server's registrar, streamed.
    pub fn envelope(&self, content: &[u8], cipher: &str) -> Vec<u8> {
        self.write("content", content);
        let (cipher, is_oaep) = cipher.strip_suffix(" oaep").map_or((cipher, false), |cipher| (cipher, true));
        let cipher = format!("-{cipher}");
        let fixed = ["cms", "-encrypt", "-binary", "-stream", "-outform", "DER", "-in", "content"];
        let oaep = ["-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256"];
        let how: &[&str] = if is_oaep { &oaep } else { &[] };
        let to = [&cipher, "-out", "envelope", "-recip", "ra.pem"];
        self.openssl(&[&fixed[..], &to, how].concat());
        self.read("envelope")
    }

    /// Signs whatever is said to be an envelope.
    pub fn sign(&self, message: &Message<'_>, envelope: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let number = self.counter.replace(self.counter.get() + 1);
        let nonce = format!("{number:016}").into_bytes();
        self.write("signed-content", envelope);
        let digest = format!("-{}", message.digest);
        let hash = self.openssl_bytes(&["dgst", &digest, "-binary", "signed-content"]);
        let attribute = |name: &[u8], value: Vec<u8>| sequence(&[oid(name), tagged(0x31, &value)].concat());
        let mut attributes = [
            attribute(CONTENT_TYPE, oid(DATA)),
            attribute(MESSAGE_DIGEST, octets(&hash)),
            attribute(&scep(2), printable(message.kind)),
            attribute(&scep(5), octets(&nonce)),
            attribute(&scep(7), printable(message.transaction)),
        ];
        attributes.sort();
        let attributes = attributes.concat();
        self.write("attributes", &tagged(0x31, &attributes));
        let key = format!("{}.key", message.signer);
        let signature = self.openssl_bytes(&["dgst", &digest, "-sign", &key, "attributes"]);
        let certificate = self.der_of(message.signer);
        let algorithm = sequence(&[oid(encoding::digest(message.digest)), vec![5, 0]].concat());
        let signer = sequence(
            &[
                integer(1),
                encoding::issuer_and_serial(&certificate),
                algorithm.clone(),
                tagged(0xa0, &attributes),
                sequence(&[oid(RSA), vec![5, 0]].concat()),
                octets(&signature),
            ]
            .concat(),
        );
        let pieces: Vec<u8> = envelope.chunks(1000).flat_map(octets).collect();
        let content = open(0x30, &[oid(DATA), open(0xa0, &open(0x24, &pieces))].concat());
        let signed = [
            integer(1),
            tagged(0x31, &algorithm),
            content,
            tagged(0xa0, &certificate),
            tagged(0x31, &signer),
        ];
        let bytes = open(0x30, &[oid(SIGNED_DATA), open(0xa0, &open(0x30, &signed.concat()))].concat());
        (bytes, nonce)
    }

    /// An answer whose signature holds, for the holder of the signer's key.
    pub fn understand(&self, message: &Message<'_>, nonce: &[u8], der: &[u8]) -> Reply {
        self.write("reply", der);
        let at = self.reads_at.map(|second| second.to_string());
        let at = at.as_deref().map_or(vec![], |second| vec!["-attime", second]);
        let verify = ["cms", "-verify", "-inform", "DER", "-binary", "-in", "reply", "-CAfile", "ca.pem"];
        let verify =
            [&verify[..], &at, &["-purpose", "any", "-certfile", "ra.pem", "-out", "sealed"]].concat();
        self.openssl(&verify);
        let status = encoding::value_of(der, &scep(3)).unwrap_or_default();
        let bag = if status == b"0" { self.opened(message.signer) } else { Vec::new() };
        let text =
            |name: &[u8]| String::from_utf8(encoding::value_of(der, name).unwrap_or_default()).expect("text");
        let is_ours = encoding::value_of(der, &scep(7)).as_deref() == Some(message.transaction.as_bytes())
            && encoding::value_of(der, &scep(6)).as_deref() == Some(nonce)
            && text(&scep(2)) == "3";
        Reply { status: text(&scep(3)), fail_info: text(&scep(4)), text: text(FAIL_INFO_TEXT), is_ours, bag }
    }

    /// Keeps the certificate of a granted request as `NAME.pem`, for the key that it is for.
    pub fn keep(&self, reply: &Reply, name: &str) {
        assert!(reply.is_ours && reply.status == "0", "{reply:?}");
        self.write("bag.p7", &reply.bag);
        let text = self.openssl(&["pkcs7", "-inform", "DER", "-in", "bag.p7", "-print_certs"]);
        let [certificate] = &pems(&text)[..] else { panic!("one certificate: {text}") };
        self.write(&format!("{name}.pem"), certificate.as_bytes());
    }

    /// `IssuerAndSerialNumber` of a certificate in the folder, DER.
    pub fn id_of(&self, name: &str) -> Vec<u8> {
        encoding::issuer_and_serial(&self.der_of(name))
    }

    /// What openssl says in the folder.
    pub fn openssl(&self, arguments: &[&str]) -> String {
        let output = Command::new("openssl").args(arguments).current_dir(&self.folder).output();
        let output = output.expect("apt-get install openssl");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A file of the folder.
    pub fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Writes a file of the folder.
    pub fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.folder.join(name), bytes).expect("a file");
    }

    fn opened(&self, name: &str) -> Vec<u8> {
        let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
        let open = ["cms", "-decrypt", "-inform", "DER", "-binary", "-in", "sealed", "-out", "bag"];
        self.openssl(&[&open[..], &["-inkey", &key, "-recip", &certificate]].concat());
        self.read("bag")
    }

    fn der_of(&self, name: &str) -> Vec<u8> {
        self.openssl(&["x509", "-in", &format!("{name}.pem"), "-outform", "DER", "-out", "some.der"]);
        self.read("some.der")
    }

    fn openssl_bytes(&self, arguments: &[&str]) -> Vec<u8> {
        self.openssl(
            &[&arguments[..arguments.len() - 1], &["-out", "bytes", arguments[arguments.len() - 1]]].concat(),
        );
        self.read("bytes")
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.join(name)).expect("a file")
    }
}

/// The object identifier of one of SCEP's attributes.
fn scep(attribute: u8) -> Vec<u8> {
    vec![0x60, 0x86, 0x48, 0x01, 0x86, 0xf8, 0x45, 0x01, 0x09, attribute]
}

/// The certificates in what openssl prints.
fn pems(text: &str) -> Vec<String> {
    let end = "-----END CERTIFICATE-----";
    let parts = text.split(end).filter_map(|part| part.find("-----BEGIN").map(|at| &part[at..]));
    parts.map(|part| format!("{part}{end}\n")).collect()
}
