//! A link as a QR code in SVG.

use qrcodegen::{QrCode, QrCodeEcc};
use std::fmt::Write;

/// Light modules around the code (ISO/IEC 18004 section 9.1).
const QUIET: i32 = 4;

/// An SVG of one path; `None` when the text is too long for any QR code (about 2,300 bytes).
pub fn qr_svg(text: &str) -> Option<String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let size = code.size() + 2 * QUIET;
    let mut path = String::new();
    for y in 0..code.size() {
        let mut x = 0;
        while x < code.size() {
            let run = (x..code.size()).take_while(|&x| code.get_module(x, y)).count();
            if run > 0 {
                let _ = write!(path, "M{} {}h{run}", x + QUIET, y + QUIET);
            }
            x += i32::try_from(run).ok()? + 1;
        }
    }
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {size} {size}\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0 0h{size}v{size}H0z\"/><path d=\"{path}\" stroke=\"#000\" transform=\"translate(0 .5)\"/></svg>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dark_module_is_drawn_once_and_no_light_one() {
        let code = QrCode::encode_text("https://portal.example/enroll#x", QrCodeEcc::Medium).unwrap();
        let svg = qr_svg("https://portal.example/enroll#x").unwrap();
        let (_, path) = svg.split_once("<path d=\"M").unwrap();
        let path = path.split('"').next().unwrap();
        let mut dark = std::collections::HashSet::new();
        for run in path.split('M') {
            let (start, rest) = run.split_once('h').unwrap();
            let (x, y) = start.split_once(' ').unwrap();
            let (x, y): (i32, i32) = (x.parse().unwrap(), y.parse().unwrap());
            let run: i32 = rest.parse().unwrap();
            (x..x + run).for_each(|x| assert!(dark.insert((x - QUIET, y - QUIET))));
        }
        for (x, y) in (0..code.size()).flat_map(|y| (0..code.size()).map(move |x| (x, y))) {
            assert_eq!(dark.contains(&(x, y)), code.get_module(x, y), "{x},{y}");
        }
    }

    #[test]
    fn what_no_code_can_hold_is_none() {
        assert!(qr_svg(&"x".repeat(3000)).is_none());
    }
}
