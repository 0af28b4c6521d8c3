//! How things look: colours and box drawing on a terminal, plain text in a pipe. What is shown belongs elsewhere.

use std::io::IsTerminal;

/// The look of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    look: Look,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Coloured,
    Drawn,
    Plain,
}

/// A colour with a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// It went well; a primary.
    Good,
    /// It went wrong; the fault.
    Bad,
    /// A standby.
    Standby,
    /// What the eye should find.
    Strong,
    /// What may be overlooked.
    Faint,
    /// Nothing special.
    Normal,
}

/// The characters that pictures are made of.
#[derive(Debug)]
pub struct Glyphs {
    /// Something is done.
    pub done: &'static str,
    /// Something failed.
    pub failed: &'static str,
    /// A running instance, a moment.
    pub dot: &'static str,
    /// An instance that is not running.
    pub hollow: &'static str,
    /// Points up at a moment.
    pub up: &'static str,
    /// Corners and lines of a box: top left, top right, bottom left, bottom right, horizontal, vertical.
    pub frame: [&'static str; 6],
    /// Bars from nothing to full.
    pub bars: &'static [char],
    /// Frames of the sign of life.
    pub spinner: &'static [&'static str],
}

const DRAWN: Glyphs = Glyphs {
    done: "✔",
    failed: "✖",
    dot: "●",
    hollow: "○",
    up: "▲",
    frame: ["╭", "╮", "╰", "╯", "─", "│"],
    bars: &['·', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
    spinner: &["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"],
};

const PLAIN: Glyphs = Glyphs {
    done: "ok",
    failed: "x",
    dot: "*",
    hollow: "o",
    up: "^",
    frame: ["+", "+", "+", "+", "-", "|"],
    bars: &['_', '.', ':', '-', '=', '+', 'o', '#', '@'],
    spinner: &[],
};

impl Paint {
    /// What standard output can show and the environment permits.
    pub fn for_stdout() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = variable("TERM").is_none_or(|term| term == "dumb");
        let look = if !std::io::stdout().is_terminal() || dumb {
            Look::Plain
        } else if variable("NO_COLOR").is_some() {
            Look::Drawn
        } else {
            Look::Coloured
        };
        Self { look }
    }

    /// Plain text.
    #[cfg(test)]
    pub const fn plain() -> Self {
        Self { look: Look::Plain }
    }

    /// Whether a line may be drawn over.
    pub fn is_live(self) -> bool {
        self.look != Look::Plain
    }

    /// The characters to draw with.
    pub const fn glyphs(self) -> &'static Glyphs {
        match self.look {
            Look::Coloured | Look::Drawn => &DRAWN,
            Look::Plain => &PLAIN,
        }
    }

    /// The text in that ink. Pad it before: the escape sequences have a length, too.
    pub fn ink(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Good => "32",
            Ink::Bad => "1;31",
            Ink::Standby => "36",
            Ink::Strong => "1",
            Ink::Faint => "2",
            Ink::Normal => return text.to_owned(),
        };
        match self.look {
            Look::Coloured => format!("\x1b[{code}m{text}\x1b[0m"),
            Look::Drawn | Look::Plain => text.to_owned(),
        }
    }
}

/// The text, filled with blanks to that many characters.
pub fn pad(text: &str, width: usize) -> String {
    format!("{text:width$}")
}

/// Joins words to lines of at most that many characters; a longer word stays whole.
pub fn wrap<'a>(words: impl Iterator<Item = &'a str>, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_coloured_look_has_escape_sequences() {
        assert_eq!(Paint::plain().ink(Ink::Bad, "x"), "x");
        assert_eq!(Paint { look: Look::Coloured }.ink(Ink::Good, "x"), "\x1b[32mx\x1b[0m");
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap(["one", "two", "three"].into_iter(), 7), ["one two", "three"]);
        assert_eq!(wrap(["a", "long word", "b"].into_iter(), 4), ["a", "long word", "b"]);
    }
}
