//! What a browser wants an answer for (Fetch Metadata Request Headers).

use http::HeaderMap;

/// Whether a page in a tab is opened, as far as the browser says: a picture, a script, or a page within a page is not. Programs
/// say nothing of what they want an answer for.
pub fn opens_a_page(headers: &HeaderMap) -> bool {
    headers.get_all("sec-fetch-dest").iter().all(|wanted| wanted == "document")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_frame_opens_no_page_also_where_the_browser_says_two_things() {
        let said = |wanted: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for wanted in wanted {
                headers.append("sec-fetch-dest", HeaderValue::from_static(wanted));
            }
            opens_a_page(&headers)
        };
        assert!(said(&[]) && said(&["document"]));
        for other in [&["iframe"][..], &["empty"], &["image"], &["document", "iframe"], &[""]] {
            assert!(!said(other), "{other:?}");
        }
    }
}
