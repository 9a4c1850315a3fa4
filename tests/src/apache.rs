//! Apache with `mod_auth_openidc` before a page: Debian's, configured as its documentation shows.

use crate::installation::RunningInstallation;
use crate::process::Process;
use crate::self_signed::Own;
use crate::stopwatch::eventually;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// A running Apache whose one page is for people alone, and shows what it was told of them.
#[derive(Debug)]
pub struct OpenidApache {
    _process: Process,
    /// `http://localhost:PORT`.
    pub origin: String,
    folder: TempDir,
}

impl OpenidApache {
    /// Starts it as this client, which authenticates by a certificate of its own (RFC 8705).
    ///
    /// Root's Apache reads files as another user, so they are copied to where everybody may read.
    pub fn start(installation: &RunningInstallation, port: u16, client_id: &str, own: &Own) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let open = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("permissions");
        };
        open(folder.path(), 0o755);
        let place = |name: &str, from: &Path| {
            let to = folder.path().join(name);
            std::fs::copy(from, &to).expect("a copy");
            open(&to, 0o644);
            to.display().to_string()
        };
        let ca = place("ca.pem", Path::new(&installation.tls_ca));
        let (certificate, key) = (place("own.pem", &own.certificate), place("own.key", &own.key));
        let pages = folder.path().join("pages");
        std::fs::create_dir(&pages).expect("a folder");
        open(&pages, 0o755);
        std::fs::write(pages.join("index.shtml"), PAGE).expect("a page");
        let (root, pages, issuer) = (folder.path().display(), pages.display(), &installation.issuer);
        let origin = format!("http://localhost:{port}");
        let modules: Vec<_> = MODULES
            .iter()
            .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
            .collect();
        let text = format!(
            r#"ServerRoot {root}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {root}/pid
ErrorLog {root}/error.log
{}
Mutex file:{root} default
OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCCABundlePath {ca}
OIDCClientID {client_id}
OIDCProviderTokenEndpointAuth none
OIDCClientTokenEndpointCert {certificate}
OIDCClientTokenEndpointKey {key}
OIDCPKCEMethod S256
OIDCScope "openid"
OIDCRedirectURI {origin}/callback
OIDCCryptoPassphrase "a passphrase of this test"
OIDCSessionType client-cookie
DocumentRoot {pages}
<Location />
  AuthType openid-connect
  Require valid-user
  ForceType text/html
  Options +Includes
  SetOutputFilter INCLUDES
</Location>
"#,
            modules.concat()
        );
        let configuration = folder.path().join("apache.conf");
        std::fs::write(&configuration, text).expect("a configuration");
        let mut command = Command::new("/usr/sbin/apache2");
        command.arg("-X").arg("-f").arg(&configuration);
        let process = Process::start("apache2", &mut command, &folder.path().join("apache.log"));
        eventually("Apache listens", Duration::from_secs(10), || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self { _process: process, origin, folder }
    }

    /// What went wrong, in its own words.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
    }
}

const MODULES: [&str; 7] =
    ["mpm_prefork", "authn_core", "authz_core", "authz_user", "dir", "include", "auth_openidc"];

const PAGE: &str = r#"<!--#echo var="REMOTE_USER" --> <!--#echo var="OIDC_CLAIM_acr" --> <!--#echo var="OIDC_CLAIM_device" -->"#;
