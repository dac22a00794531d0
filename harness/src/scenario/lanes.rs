//! Lanes on a terminal: who takes part, side by side, and arrows between them.

use anstyle::Style;
use textwrap::core::display_width;

/// A lane narrower than this leaves no room for what an arrow says.
const NARROWEST: usize = 18;
const WIDEST: usize = 30;

/// The lanes of a story.
pub(super) struct Lanes {
    names: Vec<String>,
    width: usize,
}

/// A piece of a line: from which column on, what, and how.
type Piece = (usize, String, Style);

impl Lanes {
    /// One for each name; none if they do not fit.
    pub(super) fn new(names: Vec<String>, columns: usize) -> Option<Self> {
        let longest = names.iter().map(|name| display_width(name)).max()? + 2;
        let width = (columns / names.len()).min(WIDEST);
        (width >= NARROWEST.max(longest)).then_some(Self { names, width })
    }

    /// Whether there is a lane of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// The names, each over its lane.
    pub(super) fn heads(&self, style: impl Fn(&str) -> Style) -> String {
        let pieces = self.names.iter().enumerate().map(|(lane, name)| {
            (self.centre(lane).saturating_sub(display_width(name) / 2), name.clone(), style(name).bold())
        });
        line(pieces.collect())
    }

    /// An arrow from one lane to another, with what it carries on it, and a note behind all lanes.
    pub(super) fn arrow(&self, from: &str, to: &str, what: &str, note: &str, style: Style) -> String {
        if from == to {
            return self.mark(to, what, style);
        }
        let (Some(from), Some(to)) = (self.lane(from), self.lane(to)) else { return String::new() };
        let (left, right) = (self.centre(from.min(to)), self.centre(from.max(to)));
        let room = right - left - 1;
        let what = shortened(what, room.saturating_sub(4));
        let dashes = room - 1 - display_width(&what) - 2;
        let (before, behind) = ("─".repeat(dashes / 2), "─".repeat(dashes - dashes / 2));
        let shaft =
            if from < to { format!("{before} {what} {behind}▶") } else { format!("◀{before} {what} {behind}") };
        let mut pieces = self.rails(Some((left, right)));
        pieces.push((left, if from < to { "├" } else { "│" }.to_owned(), style));
        pieces.push((left + 1, shaft, style));
        pieces.push((right, if from < to { "│" } else { "┤" }.to_owned(), style));
        if !note.is_empty() {
            pieces.push((self.names.len() * self.width + 1, note.to_owned(), style));
        }
        line(pieces)
    }

    /// Something that happens at one lane.
    pub(super) fn mark(&self, at: &str, what: &str, style: Style) -> String {
        let Some(lane) = self.lane(at) else { return String::new() };
        let centre = self.centre(lane);
        let what = shortened(what, self.names.len() * self.width - centre + self.width / 2);
        let mut pieces = self.rails(None);
        pieces.retain(|(column, ..)| *column < centre || *column > centre + 1 + display_width(&what));
        pieces.push((centre, format!("● {what}"), style));
        line(pieces)
    }

    fn lane(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    const fn centre(&self, lane: usize) -> usize {
        lane * self.width + self.width / 2
    }

    /// The lanes where nothing happens.
    fn rails(&self, arrow: Option<(usize, usize)>) -> Vec<Piece> {
        let dim = Style::new().dimmed();
        let free = |column: &usize| arrow.is_none_or(|(left, right)| *column < left || *column > right);
        let columns = (0..self.names.len()).map(|lane| self.centre(lane)).filter(free);
        columns.map(|column| (column, "│".to_owned(), dim)).collect()
    }
}

/// The pieces, each at its column.
fn line(mut pieces: Vec<Piece>) -> String {
    pieces.sort_by_key(|(column, ..)| *column);
    let (mut text, mut at) = (String::new(), 0);
    for (column, piece, style) in pieces {
        text.push_str(&" ".repeat(column.saturating_sub(at)));
        at = at.max(column) + display_width(&piece);
        text.push_str(&format!("{style}{piece}{style:#}"));
    }
    text
}

/// At most so many columns, with an ellipsis if something was cut.
fn shortened(text: &str, columns: usize) -> String {
    if display_width(text) <= columns {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        if display_width(&short) + 2 > columns {
            break;
        }
        short.push(c);
    }
    short + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes(columns: usize) -> Option<Lanes> {
        Lanes::new(["server-a", "main server"].map(str::to_owned).to_vec(), columns)
    }

    #[test]
    fn arrows_lead_from_lane_to_lane() {
        let (lanes, plain) = (lanes(40).unwrap(), Style::new());
        let shown = |text: String| anstream::adapter::strip_str(&text).to_string();
        assert_eq!(shown(lanes.heads(|_| plain)), "      server-a           main server");
        let there = shown(lanes.arrow("server-a", "main server", "request", "P 9.10", plain));
        assert_eq!(there, "          ├──── request ─────▶│          P 9.10");
        let back = shown(lanes.arrow("main server", "server-a", "receipt", "", plain));
        assert_eq!(back, "          │◀──── receipt ─────┤");
        let long = shown(lanes.arrow("server-a", "main server", &"x".repeat(50), "", plain));
        assert_eq!(display_width(&long), display_width(&back));
        assert_eq!(
            shown(lanes.arrow("main server", "main server", "mail", "", plain)),
            shown(lanes.mark("main server", "mail", plain))
        );
        assert_eq!(shown(lanes.mark("main server", "cleared", plain)), "          │                   ● cleared");
    }

    #[test]
    fn what_does_not_fit_is_no_lane() {
        assert!(lanes(35).is_none());
        assert!(Lanes::new(Vec::new(), 80).is_none());
    }
}
