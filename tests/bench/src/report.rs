//! What was found, for people and for programs.

use serde_json::json;
use std::fmt::Write;
use std::time::Duration;

/// One path, in microseconds of CPU per operation.
pub struct BenchRow {
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

/// How long something took, over and over.
pub struct Delay {
    path: String,
    /// Shortest first.
    sorted: Vec<Duration>,
}

/// How requests fared that came so many a second.
pub struct Storm {
    /// In percent of what the server bore.
    pub load: u32,
    pub per_second: u32,
    pub answered: Delay,
    /// Told to come again.
    pub shed: Delay,
    pub failed: usize,
    /// Whose turn came when as many were under way as there may be.
    pub unsent: usize,
}

/// Everything that was measured.
#[derive(Default)]
pub struct BenchReport {
    pub rows: Vec<BenchRow>,
    pub memory: Vec<Memory>,
    pub delays: Vec<Delay>,
    pub storms: Vec<Storm>,
}

impl BenchReport {
    /// `[{"path":…,"us":…,"limit_us":…,"ratio":…}]`, `{"path":…,"bytes":…,"bytes_per_entry":…}` for memory and
    /// `{"path":…,"p50_ms":…,"p95_ms":…,"p99_ms":…,"count":…}` for delays.
    pub fn json(&self) -> String {
        let rows = self.rows.iter().map(|row| {
            let (us, limit) = (round(row.us), round(row.limit_us));
            json!({ "path": row.path, "us": us, "limit_us": limit, "ratio": round(row.ratio()) })
        });
        let memory = self.memory.iter().map(
            |one| json!({"path": one.path, "bytes": one.bytes, "bytes_per_entry": round(one.per_entry())}),
        );
        let delays = self.delays.iter().map(|one| {
            let [p50, p95, p99] = [50, 95, 99].map(|part| round(one.percentile(part)));
            json!({ "path": one.path, "p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "count": one.sorted.len() })
        });
        let storms = self.storms.iter().map(|one| {
            let [p50, p99, p999] = [500, 990, 999].map(|part| round(one.answered.permille(part)));
            json!({
                "path": one.answered.path, "load": one.load, "per_second": one.per_second, "answered": one.answered.sorted.len(),
                "shed": one.shed.sorted.len(), "failed": one.failed, "unsent": one.unsent,
                "p50_ms": p50, "p99_ms": p99, "p999_ms": p999, "shed_p99_ms": round(one.shed.permille(990)),
            })
        });
        let all: Vec<_> = rows.chain(memory).chain(delays).chain(storms).collect();
        format!("{}\n", json!(all))
    }

    /// With a column in units of one signature, which took `sign_us`.
    pub fn table(&self, sign_us: f64) -> String {
        let mut text = format!("{:24}{:>10}{:>10}{:>8}{:>8}\n", "path", "µs", "limit µs", "ratio", "signs");
        for row in &self.rows {
            let (us, limit, ratio, signs) = (row.us, row.limit_us, row.ratio(), row.us / sign_us);
            let _ = writeln!(text, "{:24}{us:>10.1}{limit:>10.1}{ratio:>8.2}{signs:>8.2}", row.path);
        }
        let _ = writeln!(
            text,
            "one P-256 signature of ring: {sign_us:.1} µs, measured before and after the rows"
        );
        for one in &self.memory {
            let (megabytes, each) = (one.bytes / 1_000_000, one.per_entry());
            let _ = writeln!(text, "{:24}{megabytes:>7} MB, {each:.1} bytes an entry", one.path);
        }
        for one in &self.delays {
            let [p50, p95, p99] = [50, 95, 99].map(|part| one.percentile(part));
            let _ = writeln!(
                text,
                "{:24}{p50:>10.1} ms in the middle, {p95:.1} ms at p95, {p99:.1} ms at p99",
                one.path
            );
        }
        for one in &self.storms {
            let [p50, p99, p999] = [500, 990, 999].map(|part| one.answered.permille(part));
            let (answered, shed) = (one.answered.sorted.len(), one.shed.sorted.len());
            let _ = writeln!(
                text,
                "{:24}{:>7} a second: {p50:.1} ms in the middle, {p99:.1} ms at p99, {p999:.1} ms at p99.9; {answered} answered, \
                 {shed} told to come again, {} failed, {} not sent",
                one.answered.path, one.per_second, one.failed, one.unsent
            );
        }
        text
    }
}

impl BenchRow {
    fn ratio(&self) -> f64 {
        self.us / self.limit_us
    }
}

impl Delay {
    pub fn new(path: impl Into<String>, mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        Self { path: path.into(), sorted: all }
    }

    /// In milliseconds, by the nearest rank.
    fn percentile(&self, part: usize) -> f64 {
        self.permille(part * 10)
    }

    fn permille(&self, part: usize) -> f64 {
        let rank = (self.sorted.len() * part).div_ceil(1000).max(1);
        self.sorted.get(rank - 1).map_or(0.0, |one| one.as_secs_f64() * 1e3)
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
