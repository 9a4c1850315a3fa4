//! The gate before a CGI program, which keeps letters and digits of a header's name alone.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::process::{Child, Command, Stdio};
use std::time::Duration;
use support::gated::GatedProduct;
use support::{eventually, within};
use tempfile::TempDir;

/// lighttpd with a program that tells its environment.
struct Lighttpd {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Lighttpd {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let at = folder.path().display();
        std::fs::write(
            folder.path().join("env.sh"),
            "printf 'Content-Type: text/plain\\r\\n\\r\\n'\nenv\necho END\n",
        )
        .unwrap();
        let config = format!(
            "server.modules = (\"mod_cgi\")\nserver.document-root = \"{at}\"\nserver.bind = \"127.0.0.1\"\n\
             server.port = {port}\ncgi.assign = (\".sh\" => \"/bin/sh\")\n"
        );
        let file = folder.path().join("lighttpd.conf");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new("lighttpd");
        command.arg("-D").arg("-f").arg(&file).stderr(Stdio::null());
        let process = command.spawn().expect("lighttpd is installed");
        let lighttpd = Self { process, port, _folder: folder };
        eventually("lighttpd listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()).await;
        lighttpd
    }
}

impl Drop for Lighttpd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn a_cgi_program_reads_who_asks_and_nothing_that_a_client_made_up() {
    let lighttpd = Lighttpd::start().await;
    let upstream = format!("127.0.0.1:{}", lighttpd.port).parse().unwrap();
    let gated = GatedProduct::with(|proxy| proxy.upstream = upstream).await;
    let mut raw = gated.raw().await;
    let forged: String = "!#$%&'*+-.^_`|~"
        .chars()
        .flat_map(|letter| {
            [
                "Tegata-Device",
                "Tegata-Subject",
                "SSL-Client-Verify",
                "X-Client-Cert",
                "X-Forwarded-For",
                "Proxy",
            ]
            .map(|name| format!("{}: forged\r\n", name.replace('-', &letter.to_string())))
        })
        .collect();
    raw.say(&gated.head("GET /env.sh", &forged)).await;
    let told = within(Duration::from_secs(5), raw.until("END")).await;
    assert!(told.contains(&format!("HTTP_TEGATA_DEVICE={}\n", support::device())), "{told}");
    assert!(told.contains("HTTP_X_FORWARDED_FOR=127.0.0.1\n") && !told.contains("forged"), "{told}");
}
