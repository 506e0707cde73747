//! Who hears a drill as it goes.

use std::io::Write;
use std::time::Duration;

/// Is told every step, once, when it is done. Never told a secret.
pub trait Narrator: Send {
    /// `line` happened `at` this long after the beginning.
    fn say(&mut self, at: Duration, line: &str);
}

/// Prints `  0.84 s  Adaeze Obi signed (1 of 2)`, a line a step. The times go on from those of a story around it.
pub struct Terminal<W: Write + Send>(pub W, pub Duration);

impl<W: Write + Send> Narrator for Terminal<W> {
    fn say(&mut self, at: Duration, line: &str) {
        // A closed pipe stops the telling, not the drill.
        let _ = writeln!(self.0, "{:>7.2} s  {line}", (self.1 + at).as_secs_f64());
        let _ = self.0.flush();
    }
}

/// Says nothing.
pub struct Silent;

impl Narrator for Silent {
    fn say(&mut self, _at: Duration, _line: &str) {}
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_line_begins_with_its_time() {
        let mut out = Vec::new();
        let mut terminal = Terminal(&mut out, Duration::ZERO);
        terminal.say(Duration::from_millis(842), "Adaeze Obi signed (1 of 2)");
        let mut later = Terminal(&mut out, Duration::from_secs(10));
        later.say(Duration::from_millis(2_300), "done");
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "   0.84 s  Adaeze Obi signed (1 of 2)\n  12.30 s  done\n"
        );
    }
}
