//! The report of the findings, for people and as JSON.

use super::code::{FindingCode, Severity};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Display;

/// Examples kept of each code. A ledger that is wrong in a million places is wrong in one way.
const EXAMPLES: usize = 20;

/// One line of the report.
#[derive(Debug, Serialize)]
pub struct CheckFinding {
    /// What monitoring sees: it never changes its meaning.
    pub code: FindingCode,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub subject: String,
    /// What was found there.
    pub detail: String,
    /// What the operator can do about it.
    pub advice: &'static str,
}

/// An area that was looked at.
#[derive(Debug, Serialize)]
pub struct CheckArea {
    /// Its name, for monitoring.
    pub check: &'static str,
    /// Whether nothing wrong was found in it.
    pub ok: bool,
    /// How much was looked at.
    pub detail: String,
}

/// A finished report, the worst findings first.
#[derive(Debug, Serialize)]
pub struct CheckFacts {
    /// Whether nothing is wrong; warnings are no matter of it.
    pub ok: bool,
    /// How often something wrong was found.
    pub wrong: usize,
    /// How often something was found that somebody should look at some day.
    pub warnings: usize,
    /// At most 20 of each code, and a line with the number of the rest.
    pub findings: Vec<CheckFinding>,
    /// What was looked at.
    pub checks: Vec<CheckArea>,
}

impl CheckFinding {
    /// Whether it must not be.
    pub fn is_wrong(&self) -> bool {
        self.severity == Severity::Wrong
    }
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

    /// Ends the report: counts what was found, and puts the worst first.
    pub fn finish(mut self) -> CheckFacts {
        self.mention_the_rest();
        let (wrong, warnings) = (self.count(Severity::Wrong), self.count(Severity::Warning));
        CheckFacts { ok: wrong == 0, wrong, warnings, findings: self.findings, checks: self.areas }
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
}
