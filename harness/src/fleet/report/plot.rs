//! A plot over time, drawn here: lines in an SVG that stretches, labels beside it in HTML, so that they stay readable.

use maud::{Markup, html as markup};

/// A line of a plot.
pub(super) struct Line {
    pub(super) name: &'static str,
    /// One value a second; none where there is nothing to show.
    pub(super) values: Vec<Option<f64>>,
}

/// A moment or a span of time, in seconds, that is marked in every plot.
pub(super) struct Mark {
    pub(super) name: &'static str,
    pub(super) from: f64,
    pub(super) until: f64,
}

/// About as wide for its height as the page shows it, so that a line is as thick everywhere when it is stretched.
const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 100.0;
/// Classes of the lines, in their order.
const CLASSES: [&str; 3] = ["one", "two", "three"];

/// A figure with up to three lines.
pub(super) fn plot(title: &str, unit: &str, lines: &[Line], marks: &[Mark]) -> Markup {
    let seconds = lines.iter().map(|line| line.values.len()).max().unwrap_or(0).max(2);
    let most =
        lines.iter().flat_map(|line| line.values.iter().flatten()).fold(0.0, |most: f64, value| most.max(*value));
    let top = round_up(most);
    let end = (seconds - 1) as f64;
    let second = WIDTH / end;
    let label = lines.iter().map(|line| format!("{}: {}", line.name, in_words(&line.values, unit)));
    let label = format!("{title}. {}", label.collect::<Vec<_>>().join("; "));
    markup! {
        figure.plot {
            figcaption {
                b { (title) }
                @for (line, class) in lines.iter().zip(CLASSES) { span.key.(class) { (line.name) } }
            }
            div.frame {
                div.up { span { (value(top)) " " (unit) } span { (value(top / 2.0)) } span { "0" } }
                svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(label) {
                    @for mark in marks {
                        @let width = ((mark.until - mark.from) * second).max(1.0);
                        rect.mark x=(format!("{:.2}", mark.from * second)) y="0" width=(format!("{width:.2}")) height=(HEIGHT) {
                            title { (mark.name) }
                        }
                    }
                    line.half x1="0" x2=(WIDTH) y1=(HEIGHT / 2.0) y2=(HEIGHT / 2.0) {}
                    @for (line, class) in lines.iter().zip(CLASSES) { path.line.(class) d=(path(&line.values, top, second)) {} }
                }
                div.along { span { "0 s" } span { (value(end / 2.0)) " s" } span { (value(end)) " s" } }
            }
        }
    }
}

/// A line with gaps where there is nothing; a second is so wide.
fn path(values: &[Option<f64>], top: f64, width: f64) -> String {
    let mut path = String::new();
    let mut pen = 'M';
    for (second, value) in values.iter().enumerate() {
        match value {
            Some(value) => {
                path += &format!("{pen}{:.2} {:.2} ", second as f64 * width, HEIGHT * (1.0 - value / top));
                // A line of one point is not seen.
                if pen == 'M' {
                    path += "h1 ";
                }
                pen = 'L';
            }
            None => pen = 'M',
        }
    }
    path
}

/// The next of 1, 2, 5, 10, 20, ...
fn round_up(most: f64) -> f64 {
    let power = 10_f64.powf(most.max(1.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|top| *top >= most).unwrap_or(most)
}

fn value(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

/// For whoever hears the page.
fn in_words(values: &[Option<f64>], unit: &str) -> String {
    let values: Vec<f64> = values.iter().flatten().copied().collect();
    match values.iter().copied().reduce(f64::max) {
        Some(most) => {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            format!("{mean:.1} {unit} on average, {most:.1} {unit} at most")
        }
        None => "nothing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_of_a_plot_is_a_round_number() {
        assert_eq!([0.0, 1.0, 3.0, 12.0, 51.0, 200.0].map(round_up), [1.0, 1.0, 5.0, 20.0, 100.0, 200.0]);
    }

    #[test]
    fn a_line_has_a_gap_where_there_is_nothing() {
        let values = [Some(0.0), Some(10.0), None, Some(5.0)];
        assert_eq!(path(&values, 10.0, 5.0), "M0.00 100.00 h1 L5.00 0.00 M15.00 50.00 h1 ");
        assert_eq!(path(&[], 10.0, 5.0), "");
    }
}
