//! Lines out of a stream of bytes, in a buffer that never grows.

/// A line that did not end within the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LineTooLong;

/// Cuts a stream at CR LF and nowhere else.
///
/// A CR or LF alone is part of a line. That two servers disagree about this is what SMTP smuggling lives on: here
/// `LF . LF`, `CR . CR` and their mixtures never end a mail (RFC 5321 section 2.3.8).
pub(super) struct Lines {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Where the search for CR LF goes on: before it there is none.
    searched: usize,
}

impl Lines {
    /// Lines of at most `line_bytes`, CR LF included.
    pub(super) fn new(line_bytes: usize) -> Self {
        Self { buffer: vec![0; line_bytes.max(2)].into_boxed_slice(), start: 0, end: 0, searched: 0 }
    }

    /// The next whole line with its CR LF; `None` when more has to be read first.
    ///
    /// # Errors
    /// [`LineTooLong`] when the buffer is full and holds no end.
    pub(super) fn next_line(&mut self) -> Result<Option<&[u8]>, LineTooLong> {
        let unread = &self.buffer[self.searched..self.end];
        if let Some(at) = unread.windows(2).position(|pair| pair == b"\r\n") {
            let line = self.start..self.searched + at + 2;
            self.start = line.end;
            self.searched = line.end;
            return Ok(Some(&self.buffer[line]));
        }
        // The last byte may be the CR of a CR LF that comes apart over two reads.
        self.searched = self.end.saturating_sub(1).max(self.start);
        if self.end - self.start == self.buffer.len() { Err(LineTooLong) } else { Ok(None) }
    }

    /// Whether what has been read so far, and is no whole line, holds an LF alone.
    pub(super) fn has_bare_lf(&self) -> bool {
        self.buffer[self.start..self.end].contains(&b'\n')
    }

    /// Room to read into; never empty after [`Self::next_line`] has said `None`.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.searched -= self.start;
        self.start = 0;
        &mut self.buffer[self.end..]
    }

    /// `count` bytes of the room have been filled.
    pub(super) fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.buffer.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `bytes` in pieces of `step` and collects the lines.
    fn cut(line_bytes: usize, step: usize, mut bytes: &[u8]) -> Result<Vec<Vec<u8>>, LineTooLong> {
        let mut lines = Lines::new(line_bytes);
        let mut found = Vec::new();
        loop {
            while let Some(line) = lines.next_line()? {
                found.push(line.to_vec());
            }
            if bytes.is_empty() {
                return Ok(found);
            }
            let room = lines.room();
            assert!(!room.is_empty());
            let count = step.min(room.len()).min(bytes.len());
            room[..count].copy_from_slice(&bytes[..count]);
            lines.filled(count);
            bytes = &bytes[count..];
        }
    }

    #[test]
    fn lines_end_at_cr_lf_and_nowhere_else_however_they_arrive() {
        let bytes = b"one\r\n\r\nt\nw\ro\r\r\n\n.\n\r.\r\r\nrest";
        let expected: Vec<Vec<u8>> =
            [&b"one\r\n"[..], b"\r\n", b"t\nw\ro\r\r\n", b"\n.\n\r.\r\r\n"].map(<[u8]>::to_vec).into();
        for step in 1..=bytes.len() {
            assert_eq!(cut(16, step, bytes), Ok(expected.clone()), "in pieces of {step}");
        }
    }

    #[test]
    fn the_longest_line_fits_and_one_byte_more_does_not() {
        assert_eq!(cut(8, 3, b"123456\r\n").map(|lines| lines.len()), Ok(1));
        assert_eq!(cut(8, 3, b"1234567\r\n"), Err(LineTooLong));
        assert_eq!(cut(8, 8, &[b'a'; 1000]), Err(LineTooLong));
    }
}
