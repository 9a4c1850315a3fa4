//! Three servers on one PostgreSQL, without a common folder: each has its own disk and revocation log, and whichever is asked
//! does the next thing.

use serde_json::{Value, json};
use std::fs;
use std::io::{Write, copy};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use tegata_tests::installation::text_of;
use tegata_tests::stopwatch::eventually;
use tegata_tests::tokens::header;
use tegata_tests::{CommandOutcome, Curl, CurlAnswer, Process, Storehouse, ports, run, tegata};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

const PRODUCT: &str = "https://product.example.jp";

#[test]
fn three_servers_without_a_common_folder_take_turns_and_are_one() {
    let mut together = ServersTogether::start();
    together.lead_to(0);
    let invitation = text_of(&together.servers[2].tell(&["invite", "--label", "register"]), "url");
    let device = together.enroll(&invitation);
    assert_eq!(device["generation"], 1);
    let first = together.token();

    together.lead_to(1);
    assert_eq!(together.renew()["generation"], 2, "another server renews what one issued");
    assert_eq!(together.introspect(&first)["active"], true, "and knows what one signed");

    let keys = together.servers[2].tell(&["token-key", "rotate", "--notice", "8"]);
    let next = text_of(&keys[1], "kid");
    for server in 0..3 {
        together.lead_to(server);
        eventually("each signs with the key that one made", PATIENCE, || kid(&together.token()) == next);
    }
    let token = together.token();
    for server in &together.servers {
        assert!(!server.data.join("keys").join(format!("token-{next}.pem")).exists(), "no file carried it");
    }

    let device = text_of(&device, "device");
    together.servers[0].tell(&["device", "revoke", "--yes", &device]);
    for server in 0..3 {
        together.lead_to(server);
        assert_eq!(together.request_token().status, 401, "server {server} refuses what another one stopped");
    }
    eventually("every server's log would do after a restore", PATIENCE, || {
        together.servers.iter().all(|server| fs::read_to_string(server.log()).unwrap().contains(&device))
    });
    assert!(!together.introspect_is_active(&token));
    let check = together.servers[1].run(&["check"]).good().json();
    let bypassed = check["findings"].as_array().expect("findings").iter();
    let bypassed = bypassed.filter(|finding| finding["code"] == "row-security-bypassed").count();
    // What an auditor is shown: this test's own role may be a superuser, and then the report says so.
    let tenant = text_of(&together.servers[1].tell(&["tenant", "list"])[0], "tenant");
    let outcome = together.servers[1].run(&["tenant", "isolation-report", &tenant]);
    let report = outcome.json();
    let wall = if bypassed == 0 { "on" } else { "bypassed" };
    assert_eq!((&report["walls"]["row_security"], &report["ok"]), (&json!(wall), &json!(wall == "on")));
    assert_eq!(outcome.code, i32::from(wall != "on"), "{report}");

    hand_over(&mut together);
}

/// At its minute a business changes hands, and the server that is at it is killed between one site and the next.
fn hand_over(together: &mut ServersTogether) {
    together.lead_to(1);
    fs::remove_dir_all(together.folder()).expect("the former identity");
    let former = together.enroll(&text_of(&together.servers[1].tell(&["invite", "--label", "r-2"]), "url"));
    together.servers[1].tell(&["site", "add", "二号店"]);
    let transfer = tegata_tests::transfer::approved(&|arguments| together.servers[1].tell(arguments), 10);
    let url = together.store.url();
    let mut lock = Process::start(
        "psql",
        Command::new("psql").args(["-q", &url]),
        &together.identity.path().join("lock"),
    );
    writeln!(lock.input(), "BEGIN; SELECT 1 FROM site WHERE name = '二号店' FOR NO KEY UPDATE;")
        .expect("a lock");
    eventually("the transfer waits for a site", Duration::from_mins(1), || {
        let waits = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE site%' \
                     AND datname = current_database()";
        run("psql", &["-At", "--dbname", &url, "--command", waits]).trim() != "0"
    });
    let (show, before) = (["transfer", "show", &*transfer], together.holder_of_transfers(1));
    assert_eq!(together.servers[1].tell(&show)["state"], "running");
    together.servers[0].process.kill();
    lock.kill();
    eventually("another server goes on", PATIENCE, || together.servers[1].tell(&show)["state"] == "done");
    let holder = together.holder_of_transfers(2);
    assert!(holder.is_some() && holder != before, "the one that was killed had been at it");
    let report = together.servers[2].tell(&["transfer", "report", &transfer]);
    let all = |name: &str| report[name].as_array().expect("a list").clone();
    assert!(all("sites").iter().all(|site| site["state"] == "done") && all("sites").len() == 2, "{report}");
    let moved: Vec<_> = all("devices").into_iter().filter(|one| one["outcome"] == "moved").collect();
    assert!(matches!(&moved[..], [one] if one["device"] == former["device"]), "{report}");
    let renewed = together.renew();
    assert_eq!((&renewed["device"], &renewed["generation"]), (&moved[0]["successor"], &json!(1)));
    assert!(!together.token().is_empty());
    together.servers[2].run(&["check"]).good();
}

/// Three servers, and what stands before them.
struct ServersTogether {
    servers: Vec<SingleServer>,
    /// Which of them is led to.
    chosen: Arc<AtomicUsize>,
    portal: String,
    device: String,
    /// Where the device's certificate is.
    identity: TempDir,
    store: Storehouse,
}

/// One of them, with everything that is its own.
struct SingleServer {
    data: PathBuf,
    // Before the folder, so that the server is gone first.
    process: Process,
    _folder: TempDir,
}

impl ServersTogether {
    fn start() -> Self {
        let store = Storehouse::postgres();
        let fronts = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
        let front = |place: usize| fronts[place].local_addr().expect("an address").port();
        let [portal, device, public] = [0, 1, 2].map(front);
        let made = tempfile::tempdir().expect("a folder");
        let mut init = Command::new(tegata());
        init.args(["init", "--storage", &store.url(), "--host", "localhost", "--listen", "127.0.0.1"]);
        init.args(["--audience", PRODUCT]);
        for (option, port) in
            [("--portal-port", portal), ("--device-port", device), ("--public-port", public)]
        {
            init.arg(option).arg(port.to_string());
        }
        CommandOutcome::of(init.arg("--data").arg(made.path())).good();
        let mut ports_of_servers = Vec::new();
        let mut servers = Vec::new();
        for place in 0..3 {
            let own = [(); 3].map(|()| ports::free());
            servers.push(SingleServer::start(made.path(), [portal, device, public], own, place > 0));
            ports_of_servers.push(own);
        }
        let chosen = Arc::new(AtomicUsize::new(0));
        for (kind, front) in fronts.into_iter().enumerate() {
            let behind: Vec<u16> = ports_of_servers.iter().map(|own| own[kind]).collect();
            let chosen = chosen.clone();
            thread::spawn(move || forward(&front, &chosen, &behind));
        }
        let [portal, device] = [portal, device].map(|port| format!("https://localhost:{port}"));
        let identity = tempfile::tempdir().expect("a folder");
        Self { servers, chosen, portal, device, identity, store }
    }

    /// Which run of a server is at transfers, as this one knows.
    fn holder_of_transfers(&self, server: usize) -> Option<String> {
        let passes = self.servers[server].run(&["passes", "list"]).json();
        let pass = passes.as_array()?.iter().find(|pass| pass["name"] == "transfer")?;
        Some(text_of(&pass["lease"], "holder"))
    }

    /// New connections go to this server.
    fn lead_to(&self, server: usize) {
        self.chosen.store(server, Ordering::SeqCst);
    }

    fn trust(&self) -> PathBuf {
        self.servers[0].data.join("tls/ca.pem")
    }

    fn folder(&self) -> PathBuf {
        self.identity.path().join("device")
    }

    fn enroll(&self, invitation: &str) -> Value {
        let mut command = Command::new(tegata());
        command.arg("enroll").arg(invitation).arg("--json").arg("--out").arg(self.folder());
        CommandOutcome::of(command.arg("--tls-ca").arg(self.trust())).good().json()
    }

    fn renew(&self) -> Value {
        let mut command = Command::new(tegata());
        command.arg("renew").arg(self.folder()).arg("--json").arg("--tls-ca").arg(self.trust());
        CommandOutcome::of(&mut command).good().json()
    }

    fn oauth(&self, name: &str, fields: &[(&str, &str)]) -> CurlAnswer {
        let metadata = Curl::to(&format!("{}/.well-known/oauth-authorization-server", self.portal));
        let metadata = metadata.trusting(&self.trust()).send().json();
        assert!(text_of(&metadata, name).starts_with(&self.device));
        let file = |name: &str| self.folder().join(name).display().to_string();
        let request = Curl::to(&text_of(&metadata, name)).trusting(&self.trust());
        request.presenting(&file("chain.pem"), &file("key.pem")).form(fields).send()
    }

    fn request_token(&self) -> CurlAnswer {
        let client = self.client();
        let fields = [("grant_type", "client_credentials"), ("client_id", &*client), ("resource", PRODUCT)];
        self.oauth("token_endpoint", &fields)
    }

    fn token(&self) -> String {
        text_of(&self.request_token().expect(200).json(), "access_token")
    }

    fn introspect(&self, token: &str) -> Value {
        let client = self.client();
        self.oauth("introspection_endpoint", &[("client_id", &*client), ("token", token)]).expect(200).json()
    }

    /// Who was stopped may not ask any more; that is as good as an answer.
    fn introspect_is_active(&self, token: &str) -> bool {
        let client = self.client();
        let answer = self.oauth("introspection_endpoint", &[("client_id", &*client), ("token", token)]);
        answer.status == 200 && answer.json()["active"] == true
    }

    /// The device's identifier, from its certificate.
    fn client(&self) -> String {
        let file = self.folder().join("cert.pem").display().to_string();
        let text = run("openssl", &["x509", "-in", &file, "-noout", "-ext", "subjectAltName"]);
        let (_, id) = text.trim().rsplit_once('/').expect("an identity");
        id.trim().to_owned()
    }
}

impl SingleServer {
    /// A machine that got the configuration, the secret and the keys of CAs and listeners, and nothing else.
    fn start(made: &Path, fronts: [u16; 3], own: [u16; 3], is_further: bool) -> Self {
        let folder = tempfile::Builder::new().prefix("tegata-server-").tempdir().expect("a folder");
        let data = folder.path().join("data");
        run("cp", &["-a", &made.display().to_string(), &data.display().to_string()]);
        let (file, health) = (data.join("tegata.toml"), ports::free());
        let mut text = fs::read_to_string(&file).expect("a configuration");
        for (front, own) in fronts.iter().zip(own) {
            let listen = format!("listen = \"127.0.0.1:{front}\"");
            assert!(text.contains(&listen), "{text}");
            text = text.replace(&listen, &format!("listen = \"127.0.0.1:{own}\""));
        }
        fs::write(
            &file,
            format!("[canary]\nevery_minutes = 0\n\n[metrics]\nlisten = \"127.0.0.1:{health}\"\n\n{text}"),
        )
        .expect("a configuration");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("a mode");
        if is_further {
            fs::remove_file(data.join("revocations.log")).expect("the log is the first server's");
            let mut begin = Command::new(tegata());
            CommandOutcome::of(begin.args(["revocations", "add-log", "--data"]).arg(&data)).good();
        }
        let mut command = Command::new(tegata());
        command.arg("serve").arg("--data").arg(&data);
        let process = Process::start("tegata serve", &mut command, &folder.path().join("server.log"));
        eventually("a server is ready", PATIENCE, || {
            Curl::to(&format!("http://127.0.0.1:{health}/readyz"))
                .attempt()
                .is_ok_and(|said| said.status == 200)
        });
        Self { data, process, _folder: folder }
    }

    fn log(&self) -> PathBuf {
        self.data.join("revocations.log")
    }

    fn run(&self, arguments: &[&str]) -> CommandOutcome {
        let mut command = Command::new(tegata());
        CommandOutcome::of(command.args(arguments).arg("--json").arg("--data").arg(&self.data))
    }

    fn tell(&self, arguments: &[&str]) -> Value {
        self.run(arguments).good().json()
    }
}

/// What a load balancer does, which leads everybody to one server.
fn forward(front: &TcpListener, chosen: &AtomicUsize, behind: &[u16]) {
    for client in front.incoming() {
        let (Ok(client), port) = (client, behind[chosen.load(Ordering::SeqCst)]) else { return };
        let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
        for (from, to) in [(&client, &server), (&server, &client)] {
            let (mut from, mut to) = (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"));
            thread::spawn(move || {
                // Either end may be gone.
                let _ = copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Write);
            });
        }
    }
}

fn kid(token: &str) -> String {
    text_of(&header(token), "kid")
}
