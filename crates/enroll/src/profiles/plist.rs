//! Property lists in XML, as far as a profile needs them.

use std::fmt::Write;
use tegata_core::encoding::base64;

/// One value of a property list.
pub(super) enum PlistValue<'a> {
    Text(&'a str),
    Number(u32),
    Flag(bool),
    Data(&'a [u8]),
    Octets(Vec<u8>),
    List(Vec<PlistValue<'a>>),
    Dictionary(Vec<(&'static str, PlistValue<'a>)>),
}

/// The whole property list in XML, with its declaration.
pub(super) fn document(root: &PlistValue<'_>) -> String {
    let mut text = String::from(concat!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
        "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" ",
        "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n"
    ));
    write(&mut text, root);
    text + "</plist>\n"
}

fn write(text: &mut String, value: &PlistValue<'_>) {
    // Writing to a String does not fail.
    let _ = match value {
        PlistValue::Text(content) => writeln!(text, "<string>{}</string>", escaped(content)),
        PlistValue::Number(number) => writeln!(text, "<integer>{number}</integer>"),
        PlistValue::Flag(flag) => writeln!(text, "<{flag}/>"),
        PlistValue::Octets(bytes) => writeln!(text, "<data>{}</data>", base64(bytes)),
        PlistValue::Data(bytes) => writeln!(text, "<data>{}</data>", base64(bytes)),
        PlistValue::List(values) => {
            text.push_str("<array>\n");
            for value in values {
                write(text, value);
            }
            writeln!(text, "</array>")
        }
        PlistValue::Dictionary(entries) => {
            text.push_str("<dict>\n");
            for (key, value) in entries {
                let _ = write!(text, "<key>{key}</key>");
                write(text, value);
            }
            writeln!(text, "</dict>")
        }
    };
}

/// Characters that XML 1.0 does not know, in any form, are left out.
fn escaped(content: &str) -> String {
    let mut text = String::with_capacity(content.len());
    for letter in content.chars() {
        match letter {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'.. => text.push(letter),
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_a_name() {
        let name = "</string><key>A</key> & \u{0}\u{b}薬局\u{fffe}";
        assert_eq!(escaped(name), "&lt;/string&gt;&lt;key&gt;A&lt;/key&gt; &amp; 薬局");
    }
}
