//! Personal data as those see it who need to recognize it and not to know it: the vendor's support on the telephone.
//!
//! What is left says that there is something and a little of what. How long it is, is not left.

/// What stands for letters.
const MASKED: &str = "***";

/// Digits of a telephone number that are left: the caller says the others.
const DIGITS_LEFT: usize = 2;

/// `田***` for 田中 花子: the first letter of the name.
pub fn person_name(name: &str) -> String {
    let first: String = name.trim().chars().take(1).collect();
    if first.is_empty() { first } else { first + MASKED }
}

/// `ta***` for the login ID tanaka01, `t***` where it has fewer than five letters; a mail address as [`mail`] has it.
pub fn login(login: &str) -> String {
    /// A shorter one would be half given away by two letters.
    const SHORT: usize = 5;
    if login.contains('@') {
        return mail(login);
    }
    let left = if login.chars().count() < SHORT { 1 } else { 2 };
    login.chars().take(left).chain(MASKED.chars()).collect()
}

/// `h***@e***.jp` for hanako@example.jp: the first letters, and the end of the domain.
pub fn mail(address: &str) -> String {
    let Some((local, domain)) = address.rsplit_once('@') else { return MASKED.into() };
    let end = domain.rsplit_once('.').map_or("", |(_, end)| end);
    let first = |text: &str| text.chars().next().map(String::from).unwrap_or_default();
    let dot = if end.is_empty() { "" } else { "." };
    format!("{}{MASKED}@{}{MASKED}{dot}{end}", first(local), first(domain))
}

/// `***78` for the number 03-1234-5678: the last two digits.
pub fn phone(number: &str) -> String {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    let left = digits.len().checked_sub(DIGITS_LEFT).filter(|masked| *masked >= DIGITS_LEFT);
    MASKED.chars().chain(digits[left.unwrap_or(digits.len())..].iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn support_recognizes_what_a_caller_says_and_learns_nothing_else() {
        assert_eq!((person_name("田中 花子").as_str(), person_name(" ").as_str()), ("田***", ""));
        assert_eq!((login("tanaka01").as_str(), login("taro").as_str()), ("ta***", "t***"));
        assert_eq!(login("hanako@example.co.jp"), mail("hanako@example.co.jp"));
        assert_eq!(mail("hanako@example.co.jp"), "h***@e***.jp");
        assert_eq!(mail("花子@病院.jp"), "花***@病***.jp");
        assert_eq!((mail("x@localhost").as_str(), mail("no address").as_str()), ("x***@l***", "***"));
        assert_eq!((phone("03-1234-5678").as_str(), phone("110").as_str()), ("***78", "***"));
    }

    #[test]
    fn masks_of_different_lengths_look_alike() {
        assert_eq!(person_name("田中"), person_name("田ノ上 花子郎"));
        assert_eq!(mail("ab@cd.jp"), mail("abcdef@cdefgh.jp"));
    }
}
