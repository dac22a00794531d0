//! base64url without padding, strict (P 2.4).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Text that is not base64url as P 2.4 wants it: padding, a foreign character, or unused bits that are not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not base64url without padding")]
pub struct NotBase64url;

/// Bytes to base64url, without padding.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// base64url to bytes.
///
/// # Errors
/// [`NotBase64url`].
pub fn decode(text: impl AsRef<[u8]>) -> Result<Vec<u8>, NotBase64url> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| NotBase64url)
}

/// base64url to exactly `N` bytes.
///
/// # Errors
/// [`NotBase64url`], also when the number of bytes is another one.
pub fn decode_array<const N: usize>(text: impl AsRef<[u8]>) -> Result<[u8; N], NotBase64url> {
    decode(text)?.try_into().map_err(|_| NotBase64url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_foreign_characters_and_trailing_bits_are_refused() {
        for bad in ["AA==", "A+", "A/", "A A", "AB", "A", "A\n"] {
            assert_eq!(decode(bad), Err(NotBase64url), "{bad:?}");
        }
        assert_eq!(decode("AA"), Ok(vec![0]));
        assert_eq!(decode("-_8"), Ok(vec![0xfb, 0xff]));
    }
}
