//! The account that runs this process, for the audit log.

/// The account that runs this process, as the operating system knows it: nothing that whoever runs it could write
/// themselves. For root it says who became it: the account that signed in, which the kernel keeps over `sudo` and `su`
/// (`/proc/self/loginuid`), or else the account that the environment claims, as a claim.
pub fn account_name() -> String {
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let signed_in = std::fs::read_to_string("/proc/self/loginuid").ok();
    let claimed = std::env::var("SUDO_USER").ok();
    let runs = rustix::process::getuid().as_raw();
    described(&accounts, runs, signed_in.and_then(|id| id.trim().parse().ok()), claimed.as_deref())
}

/// What the kernel says where nobody signed in, as for services.
const NOBODY_SIGNED_IN: u32 = u32::MAX;

fn described(accounts: &str, runs: u32, signed_in: Option<u32>, claimed: Option<&str>) -> String {
    let name = account(accounts, runs);
    if let Some(id) = signed_in.filter(|id| *id != runs && *id != NOBODY_SIGNED_IN) {
        return format!("{name}, signed in as {}", account(accounts, id));
    }
    match claimed.filter(|claimed| runs == 0 && is_account_name(claimed)) {
        Some(claimed) => format!("{name}, SUDO_USER says {claimed}"),
        None => name,
    }
}

/// useradd(8) allows no more, so that a claim is one word in the log.
fn is_account_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@$".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

/// The name of an account in the form of passwd(5). An account of a directory service is not there, and known by its
/// number.
fn account(accounts: &str, id: u32) -> String {
    let of_line = |line: &str| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(id) && !name.is_empty()).then(|| name.to_owned())
    };
    accounts.lines().find_map(of_line).unwrap_or_else(|| format!("uid {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNTS: &str = "root:x:0:0:root:/root:/bin/bash\n\n# a comment\ntanaka:x:1000:1000:,,,:/home/tanaka:/bin/sh\nbroken\n";

    #[test]
    fn an_operator_is_the_account_and_behind_it_whoever_signed_in() {
        assert_eq!(described(ACCOUNTS, 1000, Some(1000), None), "tanaka");
        assert_eq!(described(ACCOUNTS, 0, Some(1000), Some("suzuki")), "root, signed in as tanaka");
        assert_eq!(described(ACCOUNTS, 0, Some(NOBODY_SIGNED_IN), None), "root");
        assert_eq!(described(ACCOUNTS, 4242, None, None), "uid 4242");
        assert_eq!(described("", 0, Some(7), None), "uid 0, signed in as uid 7");
    }

    #[test]
    fn what_the_environment_says_is_a_claim_of_root_alone() {
        assert_eq!(described(ACCOUNTS, 0, None, Some("tanaka")), "root, SUDO_USER says tanaka");
        assert_eq!(described(ACCOUNTS, 1000, None, Some("root")), "tanaka");
        for odd in ["", "tanaka\nroot", "a b", &"a".repeat(65)] {
            assert_eq!(described(ACCOUNTS, 0, None, Some(odd)), "root", "{odd:?}");
        }
    }
}
