//! What the quirks do to a response file.

use crate::main_server::Answer;
use crate::quirks::{Fired, Quirk};

/// `flip-byte`: in the message, since nobody would notice it in the header for people.
pub(crate) fn flipped(answer: Answer, quirk: Option<Fired>) -> Answer {
    match (quirk.map(|fired| fired.quirk), answer.message()) {
        (Some(Quirk::FlipByte), Some(message)) => {
            let mut bytes = message.as_bytes().to_vec();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            // All characters of a JWS are ASCII, and so are their neighbours.
            let message = String::from_utf8_lossy(&bytes).into_owned();
            answer.with_message(message)
        }
        _ => answer,
    }
}

/// `file-variant`: the file with a defect of the catalogue.
pub(crate) fn defective(file: Vec<u8>, quirk: Option<Fired>) -> Vec<u8> {
    let variant = quirk.filter(|fired| fired.quirk == Quirk::FileVariant).and_then(|fired| fired.parameters.variant);
    variant.and_then(|variant| variant.of_document(&file)).unwrap_or(file)
}

/// `truncate`: the first half of the file.
pub(crate) fn truncated(mut file: Vec<u8>, quirk: Option<Fired>) -> Vec<u8> {
    if quirk.is_some_and(|fired| fired.quirk == Quirk::Truncate) {
        file.truncate(file.len() / 2);
    }
    file
}
