//! The report of the findings, for people and as JSON.

use super::code::{FindingCode, Severity};
use crate::failure::Failure;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Display;

/// Examples kept of each code. A ledger that is wrong in a million places is wrong in one way.
const EXAMPLES: usize = 20;

/// One line of the report.
#[derive(Debug, Serialize)]
pub struct CheckFinding {
    code: FindingCode,
    severity: Severity,
    /// What it is about.
    subject: String,
    /// What was found there.
    detail: String,
    /// What the operator can do about it.
    advice: &'static str,
}

/// An area that was looked at.
#[derive(Debug, Serialize)]
struct CheckArea {
    check: &'static str,
    ok: bool,
    detail: String,
}

/// The findings and the areas of one check.
#[derive(Debug, Default)]
pub struct CheckReport {
    findings: Vec<CheckFinding>,
    counts: BTreeMap<FindingCode, usize>,
    areas: Vec<CheckArea>,
    /// Wrong things found before the present area.
    before: usize,
}

impl CheckReport {
    /// Notes a finding. `detail` holds no secret.
    pub fn add(&mut self, code: FindingCode, subject: impl Display, detail: impl Display) {
        let count = self.counts.entry(code).or_default();
        *count += 1;
        if *count <= EXAMPLES {
            self.findings.push(CheckFinding {
                code,
                severity: code.severity(),
                subject: subject.to_string(),
                detail: detail.to_string(),
                advice: code.advice(),
            });
        }
    }

    /// Whether this was found.
    pub fn has(&self, code: FindingCode) -> bool {
        self.counts.contains_key(&code)
    }

    /// Ends an area with what was looked at in it.
    pub fn area(&mut self, check: &'static str, looked_at: impl Display) {
        let wrong = self.count(Severity::Wrong);
        let found = wrong - self.before;
        self.before = wrong;
        let detail = if found == 0 { looked_at.to_string() } else { format!("{found} wrong; {looked_at}") };
        self.areas.push(CheckArea { check, ok: found == 0, detail });
    }

    /// Writes it to standard output.
    ///
    /// # Errors
    /// [`Failure::Wrong`] when anything is wrong.
    pub fn tell(mut self, as_json: bool) -> Result<(), Failure> {
        self.mention_the_rest();
        let (wrong, warnings) = (self.count(Severity::Wrong), self.count(Severity::Warning));
        if as_json {
            outln!(
                "{}",
                json!({
                    "ok": wrong == 0, "wrong": wrong, "warnings": warnings,
                    "findings": self.findings, "checks": self.areas,
                })
            );
        } else {
            self.print();
        }
        if wrong == 0 { Ok(()) } else { Err(Failure::wrong(format!("{wrong} wrong, {warnings} warnings"))) }
    }

    fn count(&self, severity: Severity) -> usize {
        self.counts.iter().filter(|(code, _)| code.severity() == severity).map(|(_, count)| count).sum()
    }

    fn mention_the_rest(&mut self) {
        for (&code, &count) in &self.counts {
            if count > EXAMPLES {
                self.findings.push(CheckFinding {
                    code,
                    severity: code.severity(),
                    subject: "and more".into(),
                    detail: format!("{count} of this kind, {EXAMPLES} shown"),
                    advice: code.advice(),
                });
            }
        }
        self.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    }

    fn print(&self) {
        for CheckFinding { code, severity, subject, detail, advice } in &self.findings {
            let word = if *severity == Severity::Wrong { "WRONG  " } else { "warning" };
            outln!("{word}  {:24}  {subject}: {detail}; {advice}", code.word());
        }
        for CheckArea { check, detail, .. } in self.areas.iter().filter(|area| area.ok) {
            outln!("ok       {check:24}  {detail}");
        }
    }
}
