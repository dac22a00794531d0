//! The report as one page that needs nothing else.

use maud::{Markup, html as markup};
use solme_sync_pages::HOUSE_STYLE;

use super::plot::{Line, Mark, plot};
use super::{Report, SecondReport, Verdict, facts, mebibytes, number};

const STYLE: &str = include_str!("page.css");
const MIB: f64 = 1_048_576.0;

impl Report {
    /// The page.
    pub(crate) fn html(&self) -> String {
        let title = format!("Fleet of {} License Servers", number(self.run.servers as u64));
        let body = markup! {
            a.skip href="#main" { "Skip to the results" }
            main id="main" {
                header {
                    h1 { (title) }
                    p.quiet { (self.asked()) }
                    p.verdict { (self.badge()) }
                }
                (self.counted())
                @if let Some(not_kept) = self.not_kept() { p.note.warn { (not_kept) } }
                (self.findings())
                section.plots aria-label="Over time" { (self.plots()) }
                (self.events())
                section.card {
                    h2 { "In numbers" }
                    dl { @for (word, rest) in facts(self) { div { dt { (word) } dd { (rest) } } } }
                }
                (self.each_second())
            }
        };
        crate::page::page(&title, &(HOUSE_STYLE.to_owned() + STYLE), "", &body)
    }

    fn asked(&self) -> String {
        let run = &self.run;
        let mutant = run.mutant.map_or(String::new(), |mutant| format!(" · main server with the bug {mutant}"));
        format!(
            "{} a second for {} s · faults {} · seed {} · harness {}{mutant}",
            run.rate,
            run.seconds,
            run.faults.replace(',', ", "),
            run.seed,
            run.harness
        )
    }

    fn badge(&self) -> Markup {
        let class = if self.verdict == Verdict::Passed { "good" } else { "bad" };
        markup! { span.badge.(class) { (self.headline()) } }
    }

    fn counted(&self) -> Markup {
        markup! {
            ul.counts { @for (kind, count) in self.counts() {
                li.card { b.good[count == 0].bad[count > 0] { (number(count)) } span { (kind.as_str()) } }
            } }
        }
    }

    fn findings(&self) -> Markup {
        let all: u64 = self.counts().iter().map(|(_, count)| count).sum();
        markup! {
            @if !self.findings.is_empty() {
                section.card {
                    h2 { "Found" }
                    ul { @for finding in &self.findings {
                        li { b.bad { (finding.kind.as_str()) } " " code { (finding.license_server_id) } ": " (finding.what) }
                    } }
                    @if all > self.findings.len() as u64 { p.quiet { "The first of " (number(all)) "." } }
                }
            }
        }
    }

    fn plots(&self) -> Markup {
        let marks: Vec<Mark> = self
            .events
            .iter()
            .map(|event| Mark { name: event.event, from: event.from, until: event.until })
            .chain([Mark { name: "last round", from: self.run.seconds, until: self.by_second.len() as f64 }])
            .collect();
        let line = |name, value: &dyn Fn(&SecondReport) -> Option<f64>| Line {
            name,
            values: self.by_second.iter().map(value).collect(),
        };
        let counted = |name, count: fn(&SecondReport) -> u64| line(name, &|second| Some(count(second) as f64));
        let memory = |bytes: Option<u64>| bytes.map(|bytes| bytes as f64 / MIB);
        markup! {
            (plot("Throughput", "/s", &[counted("done", |second| second.done as u64)], &marks))
            (plot("Latency", "ms", &[
                line("p50", &|second| second.latency.map(|latency| latency.p50)),
                line("p99", &|second| second.latency.map(|latency| latency.p99)),
            ], &marks))
            (plot("Refusals and failures", "/s", &[
                counted("shed", |second| second.shed),
                counted("refused", |second| second.refused),
                counted("failed", |second| second.failed),
            ], &marks))
            (plot("Thieves that got nothing", "/s", &[counted("thieves", |second| second.thieves)], &marks))
            (plot("Memory", "MiB", &[
                line("main server", &|second| memory(second.main_server_memory)),
                line("fleet", &|second| memory(second.fleet_memory)),
            ], &marks))
        }
    }

    fn events(&self) -> Markup {
        markup! {
            @if !self.events.is_empty() {
                section.card {
                    h2 { "What happened" }
                    p.quiet { "The bands in the plots. The last one is the last round: everybody synchronizes once more, without faults." }
                    table {
                        thead { tr { th scope="col" { "event" } th.number scope="col" { "from" } th.number scope="col" { "until" } } }
                        tbody { @for event in &self.events { tr {
                            th scope="row" { (event.event) }
                            td.number { (format!("{:.1} s", event.from)) }
                            td.number { (format!("{:.1} s", event.until)) }
                        } } }
                    }
                }
            }
        }
    }

    fn each_second(&self) -> Markup {
        let ms = |value: Option<f64>| value.map_or("\u{2013}".to_owned(), |value| format!("{value:.1}"));
        let memory = |bytes: Option<u64>| bytes.map_or("\u{2013}".to_owned(), mebibytes);
        let columns =
            ["second", "done", "p50 ms", "p99 ms", "shed", "refused", "failed", "thieves", "main server", "fleet"];
        markup! {
            details.card {
                summary { "Each second" }
                div.scroll tabindex="0" role="region" aria-label="Each second" { table {
                    thead { tr { @for column in columns { th.number scope="col" { (column) } } } }
                    tbody { @for (second, of) in self.by_second.iter().enumerate() { tr {
                        th.number scope="row" { (second) }
                        td.number { (of.done) }
                        td.number { (ms(of.latency.map(|latency| latency.p50))) }
                        td.number { (ms(of.latency.map(|latency| latency.p99))) }
                        td.number { (of.shed) } td.number { (of.refused) } td.number { (of.failed) }
                        td.number { (of.thieves) }
                        td.number { (memory(of.main_server_memory)) } td.number { (memory(of.fleet_memory)) }
                    } } }
                } }
            }
        }
    }
}
