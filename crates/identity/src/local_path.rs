//! Where somebody goes on after a sign-in: within this host, and nowhere else.

/// A path of this host with its query. Browsers read `//host`, `/\host` and paths with tabs or line ends in them as other
/// hosts, so that only plain characters pass.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LocalPath(String);

const LONGEST: usize = 2000;

impl LocalPath {
    /// From what a link or a form carried; `None` for anything that could lead elsewhere.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut characters = text.chars();
        let begins_here = characters.next() == Some('/') && !matches!(characters.next(), Some('/' | '\\'));
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~?&=%+:,@!*'();$".contains(&byte);
        (begins_here && text.len() <= LONGEST && text.bytes().all(is_plain)).then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_redirect_only_paths_of_this_host_are_gone_on_to() {
        for good in ["/", "/account", "/authorize?client_id=a&state=x%20y", "/a/b?c=d,e"] {
            assert_eq!(LocalPath::parse(good).map(|path| path.0).as_deref(), Some(good));
        }
        for wrong in [
            "",
            "account",
            "//evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "https://evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            " /account",
            "javascript:alert(1)",
            "/a\\b",
            "/a#b",
            "/あ",
            "/<script>",
            "/a\r\nSet-Cookie: x=y",
            "/\u{0}",
        ] {
            assert_eq!(LocalPath::parse(wrong), None, "{wrong:?}");
        }
        assert_eq!(LocalPath::parse(&format!("/{}", "a".repeat(2000))), None);
    }
}
