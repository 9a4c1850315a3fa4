//! What was found, for people and for programs.

use serde_json::json;
use std::fmt::Write;

/// One path, in microseconds of CPU per operation.
pub struct Row {
    pub path: &'static str,
    pub us: f64,
    pub limit_us: f64,
}

/// What something takes at its peak, above the process without it.
pub struct Memory {
    pub path: &'static str,
    pub bytes: u64,
    pub entries: u32,
}

impl Row {
    fn ratio(&self) -> f64 {
        self.us / self.limit_us
    }

    /// `[{"path":…,"us":…,"limit_us":…,"ratio":…}]`, and `{"path":…,"bytes":…,"bytes_per_entry":…}` for memory.
    pub fn json(rows: &[Self], memory: &[Memory]) -> String {
        let mut rows: Vec<_> = rows
            .iter()
            .map(|row| {
                json!({
                    "path": row.path, "us": round(row.us), "limit_us": round(row.limit_us), "ratio": round(row.ratio()),
                })
            })
            .collect();
        rows.extend(memory.iter().map(
            |one| json!({"path": one.path, "bytes": one.bytes, "bytes_per_entry": round(one.per_entry())}),
        ));
        format!("{}\n", json!(rows))
    }

    /// With a column in units of one signature, which took `sign_us`.
    pub fn table(rows: &[Self], memory: &[Memory], sign_us: f64) -> String {
        let mut text = format!("{:24}{:>10}{:>10}{:>8}{:>8}\n", "path", "µs", "limit µs", "ratio", "signs");
        for row in rows {
            let (us, limit, ratio, signs) = (row.us, row.limit_us, row.ratio(), row.us / sign_us);
            let _ = writeln!(text, "{:24}{us:>10.1}{limit:>10.1}{ratio:>8.2}{signs:>8.2}", row.path);
        }
        let _ = writeln!(
            text,
            "one P-256 signature of ring: {sign_us:.1} µs, measured before and after the rows"
        );
        for one in memory {
            let (megabytes, each) = (one.bytes / 1_000_000, one.per_entry());
            let _ = writeln!(text, "{:24}{megabytes:>7} MB at the peak, {each:.1} bytes an entry", one.path);
        }
        text
    }
}

impl Memory {
    #[expect(clippy::cast_precision_loss, reason = "far fewer bytes than a double counts")]
    fn per_entry(&self) -> f64 {
        self.bytes as f64 / f64::from(self.entries)
    }
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
