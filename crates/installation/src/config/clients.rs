//! Registered clients, as `tegata.toml` has them: names are those of RFC 7591 and RFC 8705.

use serde::Deserialize;
use std::path::PathBuf;
pub use tegata_core::client_registration::{
    ClientCa, ClientMethod, ClientRegistration, InvitationPlace, JwksLocation,
};

/// What all registered clients share.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientsConfig {
    /// PEM: the CAs that issue certificates of registered clients, where a client names no other.
    pub ca: Option<PathBuf>,
    /// Their revocation lists, PEM or DER, read again whenever they change. Without them nobody is looked up.
    pub crl: Option<PathBuf>,
    /// PEM that verifies the servers of every `jwks_uri`, where the system's own trust does not.
    pub jwks_ca: Option<PathBuf>,
    /// PEM that verifies the servers of every `backchannel_logout_uri`, where the system's own trust does not.
    pub logout_ca: Option<PathBuf>,
    /// Whether whoever holds an initial access token may register a client (RFC 7591).
    pub registration: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::subject::SubjectRule;

    #[derive(Debug, Deserialize)]
    struct ClientsFile {
        client: Vec<ClientRegistration>,
    }

    fn read(text: &str) -> Result<ClientRegistration, String> {
        let text = format!("[[client]]\nclient_id = \"stock\"\n{text}");
        toml::from_str::<ClientsFile>(&text)
            .map(|mut file| file.client.remove(0))
            .map_err(|error| error.to_string())
    }

    const TLS: &str = "token_endpoint_auth_method = \"tls_client_auth\"\n";
    const SELF: &str = "token_endpoint_auth_method = \"self_signed_tls_client_auth\"\n";

    #[test]
    fn an_operator_registers_a_client_by_one_subject_value() {
        let client = read(&format!(
            "{TLS}tls_client_auth_san_uri = \"https://a.example/device/1\"\nissued_here = true\n"
        ))
        .unwrap();
        assert!(matches!(
            client.method,
            ClientMethod::TlsClientAuth { subject: SubjectRule::Uri(_), ca: ClientCa::Own }
        ));
        assert!(!client.client_credentials, "nothing is granted that is not written");
        assert!(client.invites.is_empty(), "nobody invites who was not told to");
        let client = read(&format!("{SELF}jwks = \"stock.json\"\n")).unwrap();
        assert!(matches!(client.method, ClientMethod::SelfSigned(JwksLocation::File(_))));
        let client =
            read(&format!("{SELF}jwks = {{keys = [{{kty = \"EC\", x5c = [\"AA==\"]}}]}}\n")).unwrap();
        assert!(matches!(client.method, ClientMethod::SelfSigned(JwksLocation::Inline(_))));
        let client = read(&format!("{SELF}jwks_uri = \"https://a.example/jwks.json\"\n")).unwrap();
        assert!(matches!(client.method, ClientMethod::SelfSigned(JwksLocation::At(_))));
    }

    #[test]
    fn whatever_could_be_meant_in_two_ways_is_refused_with_its_line() {
        let dn = "tls_client_auth_subject_dn = \"CN=stock\"\n";
        for wrong in [
            TLS.to_owned(),
            format!("{TLS}{dn}tls_client_auth_san_dns = \"stock.example\"\n"),
            format!("{TLS}{dn}jwks = \"stock.json\"\n"),
            format!("{TLS}{dn}ca = \"ca.pem\"\nissued_here = true\n"),
            format!("{TLS}{dn}issued_here = true\n"),
            format!("{TLS}{dn}crl = \"crl.pem\"\n"),
            format!("{TLS}tls_client_auth_subject_dn = \"stock\"\n"),
            format!("{TLS}tls_client_auth_san_ip = \"stock.example\"\n"),
            format!("{TLS}{dn}grants = [\"client_credentials\"]\n"),
            format!("{TLS}{dn}audiences = [\"https://product.example\"]\n"),
            format!("{TLS}{dn}grants = [\"password\"]\n"),
            format!("{TLS}{dn}secret = \"s\"\n"),
            format!("{TLS}{dn}invites = [{{tenant = \"あおば薬局グループ\"}}]\n"),
            format!("{TLS}{dn}invites = [{{sites = []}}]\n"),
            format!("{TLS}{dn}dpop_bound_access_tokens = true\n"),
            SELF.to_owned(),
            format!("{SELF}jwks_uri = \"http://a.example/jwks.json\"\n"),
            format!("{SELF}jwks_uri = \"https://a.example/jwks.json\"\njwks = \"stock.json\"\n"),
            format!("{TLS}{dn}jwks_uri = \"https://a.example/jwks.json\"\n"),
            format!("{SELF}{dn}"),
            format!("{SELF}jwks = \"stock.json\"\nca = \"ca.pem\"\n"),
            "token_endpoint_auth_method = \"client_secret_basic\"\n".to_owned(),
        ] {
            let error = read(&wrong).unwrap_err();
            assert!(error.contains("line "), "{wrong}: {error}");
        }
    }
}
