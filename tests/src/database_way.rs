//! A way to the database that can be cut off, as a network that freezes: connections stay, and nothing arrives.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// A port of 127.0.0.1 that leads to the socket of a PostgreSQL server.
#[derive(Debug)]
pub struct DatabaseWay {
    url: String,
    is_cut: Arc<AtomicBool>,
}

impl DatabaseWay {
    /// Opens a way to the server and database of a URL such as `postgres://USER@%2Ffolder/DATABASE`. It is there to the end of
    /// the test process.
    pub fn to(url: &str) -> Self {
        let (user, rest) = url.split_once('@').expect("a user in the URL");
        let (folder, database) = rest.rsplit_once('/').expect("a database in the URL");
        let socket = format!("{}/.s.PGSQL.5432", folder.replace("%2F", "/"));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let is_cut = Arc::new(AtomicBool::new(false));
        let cut = is_cut.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = UnixStream::connect(&socket).expect("the socket of PostgreSQL");
                carry(client, server, &cut);
            }
        });
        Self { url: format!("{user}@127.0.0.1:{port}/{database}"), is_cut }
    }

    /// The database at the end of this way.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Nothing arrives any more at either end; or what waited arrives.
    pub fn cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::SeqCst);
    }
}

fn carry(client: TcpStream, server: UnixStream, is_cut: &Arc<AtomicBool>) {
    let (from_client, to_server) =
        (client.try_clone().expect("a stream"), server.try_clone().expect("a stream"));
    let cut = is_cut.clone();
    thread::spawn(move || {
        pump(from_client, &to_server, &cut);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let cut = is_cut.clone();
    thread::spawn(move || {
        pump(server, &client, &cut);
        let _ = client.shutdown(Shutdown::Write);
    });
}

fn pump(mut from: impl Read, mut to: impl Write, is_cut: &AtomicBool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        while is_cut.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(1));
        }
        if to.write_all(&buffer[..length]).is_err() {
            return;
        }
    }
}
