//! What a device may be called.

/// The most characters of a label: it becomes part of the name in the browser's list.
const LONGEST: usize = 64;

/// Whether a device can be called so: 1 to 64 characters, of which not all are spaces and none controls.
pub fn is_label(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= LONGEST && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_can_be_read_in_a_list() {
        assert!(is_label("受付PC 2") && is_label(&"あ".repeat(64)));
        for unfit in ["", "  ", "\t", "a\nb", "a\u{7f}", &"あ".repeat(65)] {
            assert!(!is_label(unfit), "{unfit:?}");
        }
    }
}
