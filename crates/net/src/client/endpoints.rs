//! Where the servers behind a name are, and which of them is asked first.
//!
//! Several addresses are tried beside each other, as RFC 8305 has it: the next one begins when the one before has not come
//! about within [`NEXT_ATTEMPT`], and the first that completes its TLS handshake wins. A server that hangs still accepts
//! TCP connections, so TCP alone proves nothing. Whoever answered last is asked first the next time, and whoever failed last.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::lookup_host;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// From one attempt to the next beside it (RFC 8305 section 5).
const NEXT_ATTEMPT: Duration = Duration::from_millis(250);

/// How many addresses are remembered; beyond it memory starts anew.
const REMEMBERED: usize = 256;

/// Where connections for a host and port go instead: `HOST:PORT=ADDRESS:PORT`. The name in TLS stays the host's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectTo {
    host: String,
    port: u16,
    to: (String, u16),
}

/// The text is not `HOST:PORT=ADDRESS:PORT`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "HOST:PORT=ADDRESS:PORT, as ca.example.jp:8444=192.0.2.7:8444 or ca.example.jp:8444=[2001:db8::7]:8444"
)]
pub struct NotAConnectTo;

impl FromStr for ConnectTo {
    type Err = NotAConnectTo;

    fn from_str(text: &str) -> Result<Self, NotAConnectTo> {
        let (from, to) = text.split_once('=').ok_or(NotAConnectTo)?;
        let (host, port) = host_and_port(from)?;
        Ok(Self { host, port, to: host_and_port(to)? })
    }
}

fn host_and_port(text: &str) -> Result<(String, u16), NotAConnectTo> {
    let (host, port) = text.rsplit_once(':').ok_or(NotAConnectTo)?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_plain = bare.is_some() || !host.contains([':', '[', ']']);
    let host = bare.unwrap_or(host);
    let is_name =
        !host.is_empty() && host.chars().all(|one| one.is_ascii_alphanumeric() || ".-_:".contains(one));
    let port = port.parse().ok().filter(|port| *port != 0).ok_or(NotAConnectTo)?;
    if is_plain && is_name { Ok((host.to_ascii_lowercase(), port)) } else { Err(NotAConnectTo) }
}

/// The servers behind names. Cloning shares what is remembered of them.
#[derive(Clone, Default, Debug)]
pub struct Endpoints {
    rules: Arc<[ConnectTo]>,
    seen: Arc<Mutex<SeenAddresses>>,
}

#[derive(Default, Debug)]
struct SeenAddresses {
    count: u64,
    by_address: HashMap<SocketAddr, LastSeen>,
}

/// How an address was last seen, with a number that grows.
#[derive(Clone, Copy, Debug)]
enum LastSeen {
    Answered(u64),
    Failed(u64),
}

impl Endpoints {
    /// Connections go where these rules say; those that no rule is about, where the name leads.
    pub fn new(rules: Vec<ConnectTo>) -> Self {
        Self { rules: rules.into(), seen: Arc::default() }
    }

    /// The server at this address answered at first, and then failed: the others are asked before it.
    pub fn failed(&self, address: SocketAddr) {
        self.note(address, LastSeen::Failed);
    }

    pub(super) fn answered(&self, address: SocketAddr) {
        self.note(address, LastSeen::Answered);
    }

    /// The addresses that rules name, if any are about this host and port.
    pub(super) async fn configured(&self, host: &str, port: u16) -> io::Result<Option<Vec<SocketAddr>>> {
        let about = |rule: &&ConnectTo| rule.port == port && rule.host.eq_ignore_ascii_case(host);
        let mut found = Vec::new();
        let mut last_error = None;
        let mut is_configured = false;
        for rule in self.rules.iter().filter(about) {
            is_configured = true;
            // One name of several that does not resolve keeps nobody from the others.
            match lookup_host((rule.to.0.as_str(), rule.to.1)).await {
                Ok(addresses) => found.extend(addresses),
                Err(error) => last_error = Some(error),
            }
        }
        match last_error.filter(|_| found.is_empty()) {
            Some(error) => Err(error),
            None => Ok(is_configured.then_some(found)),
        }
    }

    /// In the order in which they are to be tried.
    pub(super) fn ordered(&self, mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
        let seen = self.seen();
        addresses.sort_by_key(|address| match seen.by_address.get(address) {
            Some(LastSeen::Answered(number)) => (0, u64::MAX - number),
            None => (1, 0),
            Some(LastSeen::Failed(number)) => (2, *number),
        });
        addresses
    }

    fn note(&self, address: SocketAddr, how: impl FnOnce(u64) -> LastSeen) {
        let mut seen = self.seen();
        if seen.by_address.len() >= REMEMBERED {
            seen.by_address.clear();
        }
        seen.count += 1;
        let seen_now = how(seen.count);
        seen.by_address.insert(address, seen_now);
    }

    fn seen(&self) -> MutexGuard<'_, SeenAddresses> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tries the addresses beside each other, and gives what the first that succeeds gives. The other attempts end with that.
///
/// # Errors
/// The last failure, when all have failed.
pub(super) async fn first_of<T, F>(
    addresses: Vec<SocketAddr>,
    connect: impl Fn(SocketAddr) -> F,
) -> io::Result<(SocketAddr, T)>
where
    T: Send + 'static,
    F: Future<Output = io::Result<T>> + Send + 'static,
{
    let mut attempts = JoinSet::new();
    let mut left = addresses.into_iter().peekable();
    let mut failure = io::Error::other("the name leads nowhere");
    loop {
        if let Some(address) = left.next() {
            let attempt = connect(address);
            attempts.spawn(async move { (address, attempt.await) });
        }
        let has_more = left.peek().is_some();
        tokio::select! {
            ended = attempts.join_next() => match ended {
                Some(Ok((address, Ok(connected)))) => return Ok((address, connected)),
                Some(Ok((_, Err(error)))) => failure = error,
                Some(Err(_)) => {}
                None => return Err(failure),
            },
            () = sleep(NEXT_ATTEMPT), if has_more => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    fn address(last: u8) -> SocketAddr {
        ([192, 0, 2, last], 443).into()
    }

    #[test]
    fn an_operator_says_where_a_name_is_and_is_told_when_it_is_unclear() {
        let rule: ConnectTo = "CA.example.jp:8444=[2001:db8::7]:443".parse().unwrap();
        assert_eq!(
            rule,
            ConnectTo { host: "ca.example.jp".into(), port: 8444, to: ("2001:db8::7".into(), 443) }
        );
        assert!("ca:1=192.0.2.1:65535".parse::<ConnectTo>().is_ok());
        for wrong in [
            "",
            "ca:1",
            "ca=192.0.2.1:1",
            "ca:1=192.0.2.1",
            "ca:0=a:1",
            "ca:1=2001:db8::7:1",
            ":1=a:1",
            "a b:1=a:1",
        ] {
            assert_eq!(wrong.parse::<ConnectTo>(), Err(NotAConnectTo), "{wrong}");
        }
    }

    #[test]
    fn whoever_answered_is_asked_first_and_whoever_failed_last() {
        let endpoints = Endpoints::default();
        let order = |all: [u8; 3]| {
            let ordered = endpoints.ordered(all.map(address).to_vec());
            ordered.into_iter().map(|address| address.to_string().as_bytes()[8] - b'0').collect::<Vec<_>>()
        };
        assert_eq!(order([1, 2, 3]), [1, 2, 3]);
        endpoints.answered(address(2));
        assert_eq!(order([1, 2, 3]), [2, 1, 3]);
        endpoints.failed(address(2));
        assert_eq!(order([1, 2, 3]), [1, 3, 2]);
        endpoints.failed(address(1));
        assert_eq!(order([1, 2, 3]), [3, 2, 1], "the one that failed longest ago may have come back");
        endpoints.answered(address(1));
        endpoints.answered(address(3));
        assert_eq!(order([1, 2, 3]), [3, 1, 2]);
    }

    #[tokio::test]
    async fn one_that_hangs_holds_nobody_up_and_one_that_refuses_not_at_all() {
        let begun = Instant::now();
        let connect = |at: SocketAddr| async move {
            match at.to_string().as_bytes()[8] {
                b'1' => std::future::pending().await,
                b'2' => Err(io::Error::other("refused")),
                _ => Ok("hello"),
            }
        };
        let (winner, _) = first_of([1, 2, 3].map(address).to_vec(), connect).await.unwrap();
        assert_eq!(winner, address(3));
        assert!(begun.elapsed() >= NEXT_ATTEMPT, "the first had its time");
        assert_eq!(first_of(vec![address(2)], connect).await.unwrap_err().to_string(), "refused");
        assert!(first_of(vec![], connect).await.is_err());
    }
}
