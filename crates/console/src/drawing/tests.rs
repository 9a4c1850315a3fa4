use super::*;
use proptest::prelude::*;

/// Reads a document of the kind that is drawn here, and gives its texts; fails where it is not well-formed, or something stands
/// outside of it.
fn read(document: &str) -> Vec<String> {
    let (mut open, mut texts, mut rest) = (Vec::new(), Vec::new(), document);
    let height = attributes(document.split('>').next().unwrap())
        .into_iter()
        .find_map(|(name, value)| (name == "viewBox").then(|| value.rsplit(' ').next()?.parse::<f64>().ok()))
        .flatten()
        .expect("a height");
    while let Some((text, after)) = rest.split_once('<') {
        assert!(!text.contains('>'), "{text}");
        well_escaped(text);
        if !text.is_empty() {
            texts.push(text.to_owned());
        }
        let (tag, after) = after.split_once('>').expect("the end of a tag");
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name.to_owned()), "{document}");
            continue;
        }
        let name: String = tag.chars().take_while(char::is_ascii_alphabetic).collect();
        let is_whole = tag.ends_with('/');
        let attributes = attributes(tag.trim_end_matches('/'));
        let number = |wanted: &str| attributes.iter().find(|(name, _)| name == wanted)?.1.parse::<f64>().ok();
        let inside = |value: Option<f64>, most: f64| {
            assert!(value.is_none_or(|value| (0.0..=most).contains(&value)), "{tag} of {height}");
        };
        if !open.contains(&"defs".to_owned()) {
            inside(Some(number("x").unwrap_or(0.0) + number("width").unwrap_or(0.0)), 400.0);
            inside(Some(number("y").unwrap_or(0.0) + number("height").unwrap_or(0.0)), height);
            inside(number("cx"), 400.0);
            inside(number("cy"), height);
            let points = attributes.iter().find(|(name, _)| name == "points").map_or("", |(_, value)| value);
            for point in points.split_whitespace() {
                let (x, y) = point.split_once(',').expect("a point");
                inside(x.parse().ok(), 400.0);
                inside(y.parse().ok(), height);
            }
        }
        if !is_whole {
            open.push(name);
        }
    }
    assert_eq!((open, rest), (vec![], ""));
    texts
}

fn attributes(tag: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = tag.split_once(' ').map_or("", |(_, rest)| rest);
    while let Some((name, after)) = rest.split_once("=\"") {
        let (value, after) = after.split_once('"').expect("the end of a value");
        well_escaped(value);
        found.push((name.trim().to_owned(), value.to_owned()));
        rest = after;
    }
    assert!(rest.trim().is_empty(), "{tag}");
    found
}

fn well_escaped(text: &str) {
    for entity in text.split('&').skip(1) {
        let known = ["amp;", "lt;", "gt;", "quot;"].iter().any(|known| entity.starts_with(known));
        assert!(known, "{text}");
    }
    assert!(!text.contains('<') && text.chars().all(|letter| !letter.is_control()), "{text:?}");
}

proptest! {
    #[test]
    fn whatever_is_counted_bars_are_well_formed_and_within_the_picture(
        names in prop::collection::vec(any::<String>(), 0..6),
        rows in prop::collection::vec((any::<String>(), prop::collection::vec(any::<u64>(), 0..6)), 0..8),
    ) {
        let bars: Vec<_> =
            rows.into_iter().map(|(name, values)| Bar { name, said: None, values }).collect();
        let chart = BarChart { title: "<a>&\"", summary: "\u{0}b", parts: &names, bars: &bars };
        let texts = read(&chart.svg("fleet"));
        prop_assert_eq!(&texts[..2], &["&lt;a&gt;&amp;&quot;".to_owned(), " b".to_owned()]);
        for bar in &bars {
            let room = if names.is_empty() { 70 } else { 120 };
            prop_assert!(texts.contains(&shortened(&grouped(bar.sum()), room)));
        }
    }

    #[test]
    fn whatever_is_counted_lines_are_well_formed_and_within_the_picture(
        columns in prop::collection::vec((any::<String>(), prop::collection::vec(any::<u64>(), 0..40)), 0..7),
        ticks in prop::collection::vec((0..50usize, any::<String>()), 0..5),
    ) {
        let lines: Vec<_> = columns.into_iter().map(|(name, values)| Line { name, values }).collect();
        let ticks: Vec<_> = ticks.into_iter().map(|(place, name)| Tick { place, name }).collect();
        read(&LineChart { title: "t", summary: "s", lines: &lines, ticks: &ticks }.svg("refusals"));
    }
}

#[test]
fn the_longest_bar_fills_the_picture_and_one_device_is_seen_beside_it() {
    let bar = |values: &[u64]| Bar { name: "Windows".into(), said: None, values: values.to_vec() };
    let bars = [bar(&[1_000_000, 0]), bar(&[1, 0]), bar(&[0, 0])];
    let parts = ["使えます".to_owned(), "停止中".to_owned()];
    let drawn = BarChart { title: "t", summary: "s", parts: &parts, bars: &bars }.svg("fleet");
    assert!(drawn.contains("width=\"396.0\"") && drawn.contains("width=\"2.0\""), "{drawn}");
    assert!(drawn.contains(">1,000,000<") && drawn.contains(">1<") && drawn.contains(">0<"));
}

#[test]
fn parts_are_told_apart_without_color() {
    let drawn: std::collections::HashSet<_> =
        (0..PATTERNS).map(|number| pattern("x", number).replace(&format!("x-{number}"), "")).collect();
    assert_eq!(drawn.len(), PATTERNS);
    assert_eq!(shortened("トークンの状態一覧", 80), "トークン…");
    assert_eq!(grouped(1_234_567), "1,234,567");
    assert_eq!(grouped(999), "999");
}
