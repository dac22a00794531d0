//! A whole dialogue over bytes that are there already: what [`super::connection`] does, without its waits.

use std::net::Ipv4Addr;

use super::LINE_BYTES;
use super::dialogue::{Dialogue, Step};
use super::lines::Lines;
use crate::mail::ReceivedMail;

/// What came of what a client sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Talk {
    /// What it was answered, but for the greeting and the answers to mails.
    pub answers: Vec<String>,
    /// Mails that it left.
    pub mails: Vec<ReceivedMail>,
    /// It was ended here: by an answer, or because a line was too long.
    pub ended: bool,
}

/// The dialogue with a client that sends `bytes`, of which at most `piece` come in at once.
pub fn talk(mut bytes: &[u8], piece: usize) -> Talk {
    let (mut lines, mut dialogue) = (Lines::new(LINE_BYTES), Dialogue::new(Ipv4Addr::LOCALHOST.into()));
    let mut talk = Talk::default();
    loop {
        let step = match lines.next_line() {
            Ok(Some(line)) => dialogue.line(line),
            Ok(None) if bytes.is_empty() => return talk,
            Ok(None) => {
                let room = lines.room();
                let count = piece.clamp(1, room.len()).min(bytes.len());
                room[..count].copy_from_slice(&bytes[..count]);
                lines.filled(count);
                bytes = &bytes[count..];
                continue;
            }
            Err(_) => return Talk { ended: true, ..talk },
        };
        match step {
            Step::Continue => {}
            Step::Answer(text) => talk.answers.push(text),
            Step::Deliver(mail) => talk.mails.push(mail),
            Step::Close(text) => {
                talk.answers.push(text);
                return Talk { ended: true, ..talk };
            }
        }
    }
}
