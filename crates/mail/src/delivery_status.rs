//! Reports of mail that came back later (RFC 3464): which of our mails, and why.
//!
//! A report counts only where it carries the Message-ID of a mail of this installation, which nobody can guess who has not seen the
//! mail.

use crate::smtp::is_about_the_mailbox;
use tegata_core::MailId;

/// A mail that came back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BouncedMail {
    /// Which mail it is.
    pub id: MailId,
    /// The code of RFC 3463.
    pub status: String,
    /// Whether the mailbox is gone, and not only this mail: a relay that has tried for days reports that as failed, too.
    pub is_for_good: bool,
}

/// What a report says, if it is one about a mail of this installation that will not arrive.
pub fn bounced_mail(report: &[u8], installation: &str) -> Option<BouncedMail> {
    let text = String::from_utf8_lossy(report);
    let lines: Vec<String> = unfolded(&text);
    let field = |name: &str| {
        let wanted = format!("{name}:");
        lines.iter().filter_map(move |line| {
            let (head, value) = line.split_at_checked(wanted.len())?;
            head.eq_ignore_ascii_case(&wanted).then(|| value.trim().to_owned())
        })
    };
    let is_report = lines.iter().any(|line| line.to_ascii_lowercase().contains("message/delivery-status"));
    let has_failed = field("Action").any(|action| action.eq_ignore_ascii_case("failed"));
    if !is_report || !has_failed {
        return None;
    }
    let status = field("Status").find(|status| status.starts_with(['4', '5']))?;
    let status: String =
        status.chars().take_while(|letter| letter.is_ascii_digit() || *letter == '.').collect();
    let ending = format!("@{installation}>");
    let id =
        field("Message-ID").chain(field("In-Reply-To")).chain(field("References")).find_map(|value| {
            value
                .split_whitespace()
                .find_map(|one| MailId::parse(one.strip_prefix('<')?.strip_suffix(&ending)?))
        })?;
    Some(BouncedMail { id, is_for_good: is_about_the_mailbox(&status), status })
}

/// Header fields may go on in the next line, behind a space.
fn unfolded(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        match lines.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) && !line.trim().is_empty() => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00000000000000000000000000";

    fn report(action: &str, status: &str, message: &str) -> Vec<u8> {
        format!(
            "From: MAILER-DAEMON@mx.example.jp\r\nSubject: Undelivered\r\nMessage-ID: <other@mx.example.jp>\r\n\
             Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\n\
             --x\r\nContent-Type: message/delivery-status\r\n\r\n\
             Reporting-MTA: dns; mx.example.jp\r\n\r\nFinal-Recipient: rfc822; gone@example.jp\r\n\
             Action: {action}\r\nStatus: {status}\r\nDiagnostic-Code: smtp; 550\r\n 5.1.1 gone\r\n\r\n\
             --x\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: tegata@example.jp\r\nMessage-ID:\r\n {message}\r\n--x--\r\n"
        )
        .into_bytes()
    }

    #[test]
    fn a_report_of_a_mail_that_came_back_is_understood() {
        let own = format!("<{ID}@tegata.example.jp>");
        let found = bounced_mail(&report("failed", "5.1.1", &own), "tegata.example.jp").unwrap();
        assert_eq!((found.id.as_str(), found.status.as_str(), found.is_for_good), (ID, "5.1.1", true));
        for status in ["4.4.1", "4.4.7", "5.7.1", "5.2.2"] {
            let found = bounced_mail(&report("failed", status, &own), "tegata.example.jp").unwrap();
            assert!(!found.is_for_good, "{status} is about this mail alone");
        }
        let foreign = format!("<{ID}@tegata.example.com>");
        for (action, status, message) in [
            ("delayed", "4.4.1", own.as_str()),
            ("delivered", "2.0.0", &own),
            ("failed", "5.1.1", &foreign),
            ("failed", "5.1.1", "<short@tegata.example.jp>"),
        ] {
            assert_eq!(
                bounced_mail(&report(action, status, message), "tegata.example.jp"),
                None,
                "{action} {status}"
            );
        }
        let plain = format!("Message-ID: {own}\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\nan answer");
        assert_eq!(bounced_mail(plain.as_bytes(), "tegata.example.jp"), None, "no report");
        assert_eq!(bounced_mail(&[0xff, 0xfe, b'\n', b':'], "tegata.example.jp"), None);
    }
}
