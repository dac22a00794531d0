//! Every limit of P 18, in bytes unless said otherwise.

/// A request, the whole JWS.
pub const REQUEST: usize = 16_384;
/// A receipt or a refusal, the whole JWS.
pub const ANSWER: usize = 8_192;
/// A JWS header, decoded.
pub const HEADER: usize = 1_024;
/// Bytes of a sealed payload.
pub const PAYLOAD: usize = 8_388_608;
/// An allocation in clear.
pub const ALLOCATION: usize = PAYLOAD - crate::SEALING_OVERHEAD;
/// A request file or a response file.
pub const FILE: usize = 16_777_216;
/// Bytes of a trust file.
pub const TRUST_FILE: usize = 65_536;
/// Bytes of a problem document.
pub const PROBLEM: usize = 32_768;
/// Depth of JSON, in nested arrays and objects.
pub const JSON_DEPTH: usize = 32;
/// Licenses in an allocation.
pub const LICENSES: usize = 1_000;
/// Components of a license.
pub const COMPONENTS: usize = 64;
/// Properties of a license.
pub const PROPERTIES: usize = 64;
/// Characters in a property's name.
pub const PROPERTY_NAME: usize = 64;
/// Characters in a property's value.
pub const PROPERTY_VALUE: usize = 256;
/// Characters in a component's name.
pub const COMPONENT_NAME: usize = 64;
/// Characters in a display string or a license domain.
pub const DISPLAY: usize = 128;
/// Characters in a product's name or version.
pub const PRODUCT: usize = 64;
/// Characters in the text or cure of a refusal.
pub const TEXT: usize = 1_000;
/// Characters in a main server's name.
pub const NAME: usize = 128;
/// The greatest integer on the wire, 2^53 - 1 (P 2.5).
pub const INTEGER: u64 = (1 << 53) - 1;
