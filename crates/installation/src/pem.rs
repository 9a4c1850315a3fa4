//! PEM (RFC 7468), for writing.

use tegata_core::encoding::base64;

/// One PEM block with lines of 64 characters.
pub fn encode(label: &str, der: &[u8]) -> String {
    let body = base64(der);
    let lines = body.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned());
    let lines = lines.collect::<Vec<_>>().join("\n");
    format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n")
}

/// Certificates as PEM blocks, in the order given.
pub fn certificates(certificates: &[&[u8]]) -> String {
    certificates.iter().map(|der| encode("CERTIFICATE", der)).collect()
}

/// The content of the first block.
pub fn decode(pem: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(pem).ok()?;
    let body = text.lines().skip_while(|line| !line.starts_with("-----BEGIN ")).skip(1);
    let body: String = body.take_while(|line| !line.starts_with("-----END ")).collect();
    tegata_core::encoding::from_base64(&body).filter(|der| !der.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let der: Vec<u8> = (0..200).collect();
        assert_eq!(decode(encode("X", &der).as_bytes()), Some(der));
        assert_eq!(decode(b"nothing"), None);
    }
}
