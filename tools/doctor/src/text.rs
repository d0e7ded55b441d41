//! A report for people: aligned, and coloured where it is a terminal that shows it.

use std::fmt::Write;

use shared::doctor::{Exchange, Finding, Report, Sender, Severity, Verdict};

/// The width that sentences are broken at.
const WIDTH: usize = 100;

/// The report, ending with its verdict.
#[must_use]
pub fn of(report: &Report, coloured: bool) -> String {
    let paint = Paint(coloured);
    let mut text = String::new();
    head(&mut text, report, &paint);
    for (at, request) in report.requests.iter().enumerate() {
        exchange(&mut text, at + 1, request, &paint);
    }
    if !report.asked.is_empty() {
        asked(&mut text, report, &paint);
    }
    if !report.findings.is_empty() {
        findings(&mut text, &report.findings, &paint);
    }
    text + &verdict(report, &paint)
}

fn head(text: &mut String, report: &Report, paint: &Paint) {
    let _ = writeln!(text, "{} ({}), by {}", paint.bold(&report.name), report.connector, report.grants.join(", "));
    if let Some(docs) = &report.docs_url {
        let _ = writeln!(text, "{docs}");
    }
    if let Some(redirect_uri) = &report.redirect_uri {
        let _ = write!(text, "\n{}\n    {redirect_uri}\n", paint.bold("Redirect URI to register"));
    }
}

/// A request: the line, what follows it broken at its parameters, headers in a column, the body the same way.
fn exchange(text: &mut String, number: usize, request: &Exchange, paint: &Paint) {
    let Exchange { title, sender, method, url, headers, body } = request;
    let by = match sender {
        Sender::Browser => ", in the browser",
        Sender::Mooring => "",
    };
    let _ = write!(text, "\n{number:>2}  {}{by}\n", paint.bold(title));
    let (start, query) = url.split_once('?').map_or((url.as_str(), None), |(start, query)| (start, Some(query)));
    let _ = writeln!(text, "    {} {start}", paint.method(method));
    if let Some(query) = query {
        parameters(text, "?", query);
    }
    let widest = headers.iter().map(|(name, _)| name.len()).max().unwrap_or_default() + 1;
    for (name, value) in headers {
        let name = format!("{name}:");
        let _ = writeln!(text, "    {} {value}", paint.quiet(&format!("{name:<widest$}")));
    }
    match body {
        Some(body) if body.starts_with('{') || body.starts_with('[') => {
            let _ = writeln!(text, "\n        {body}");
        }
        Some(body) => {
            text.push('\n');
            parameters(text, "", body);
        }
        None => {}
    }
}

/// As on the wire, but that each has a line of its own.
fn parameters(text: &mut String, first: &str, encoded: &str) {
    for (at, parameter) in encoded.split('&').enumerate() {
        let before = if at == 0 { first } else { "&" };
        let _ = writeln!(text, "        {before:<1}{parameter}");
    }
}

fn asked(text: &mut String, report: &Report, paint: &Paint) {
    let _ = write!(text, "\n{}\n", paint.bold("Asked just now"));
    let widest = report.asked.iter().map(|asked| asked.url.chars().count()).max().unwrap_or_default();
    for asked in &report.asked {
        let _ = writeln!(text, "    {:<4} {:<widest$}  {}", asked.method, asked.url, asked.outcome);
    }
}

fn findings(text: &mut String, findings: &[Finding], paint: &Paint) {
    let _ = write!(text, "\n{}\n", paint.bold("Findings"));
    for finding in findings {
        let word = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let label = paint.severity(finding.severity, &format!("{word:<8}"));
        let _ = writeln!(text, "    {label}{}", wrapped(&finding.what, 12));
        if !finding.remedy.is_empty() {
            let _ = writeln!(text, "            {} {}", paint.quiet("→"), wrapped(&finding.remedy, 14));
        }
    }
}

/// Broken at spaces, later lines indented.
fn wrapped(sentence: &str, indent: usize) -> String {
    let mut lines = String::new();
    let mut column = indent;
    for word in sentence.split(' ') {
        let length = word.chars().count();
        if column > indent && column + 1 + length > WIDTH {
            let _ = write!(lines, "\n{:indent$}", "");
            column = indent;
        } else if column > indent {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += length;
    }
    lines
}

fn verdict(report: &Report, paint: &Paint) -> String {
    let count = |severity| report.findings.iter().filter(|finding| finding.severity == severity).count();
    let some = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let (errors, warnings) = (some(count(Severity::Error), "error"), some(count(Severity::Warning), "warning"));
    match report.verdict {
        Verdict::Ready => {
            format!(
                "\n{} Nothing stands in the way that can be seen from here.\n",
                paint.severity(Severity::Note, "Ready.")
            )
        }
        Verdict::Doubtful => format!("\n{} It may fail: {warnings}.\n", paint.severity(Severity::Warning, "Doubtful.")),
        Verdict::Broken => {
            format!("\n{} It can't work so: {errors}, {warnings}.\n", paint.severity(Severity::Error, "Broken."))
        }
    }
}

/// Colours, or none.
struct Paint(bool);

impl Paint {
    fn with(&self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn bold(&self, text: &str) -> String {
        self.with("1", text)
    }

    fn quiet(&self, text: &str) -> String {
        self.with("2", text)
    }

    fn method(&self, text: &str) -> String {
        self.with("36", text)
    }

    fn severity(&self, severity: Severity, text: &str) -> String {
        match severity {
            Severity::Error => self.with("1;31", text),
            Severity::Warning => self.with("1;33", text),
            Severity::Note => self.with("32", text),
        }
    }
}
