//! Where tests reach into a main server: what it does ([`Conduct`]), and when ([`Seams::durable_step`]).
//!
//! Everything here enters through [`Seams`], which [`crate::run`] and [`crate::Builder::seams`] take. The default is the
//! simulator as it is shipped. There is no cargo feature for any of it: a workspace build would unite those.
//!
//! ```
//! use std::sync::Arc;
//! use mock_solme::testing::{Conduct, Seams};
//! use solme_sync_protocol::Refusal;
//!
//! /// A main server that says nothing to people.
//! #[derive(Debug)]
//! struct Taciturn;
//!
//! impl Conduct for Taciturn {
//!     fn refusal(&self, refusal: Refusal) -> Refusal {
//!         Refusal { text: String::new(), ..refusal }
//!     }
//! }
//!
//! let seams = Seams { conduct: Arc::new(Taciturn), ..Seams::default() };
//! let mock = mock_solme::MockSolme::builder().seams(seams).start();
//! # drop(mock);
//! ```

pub mod foreign;

pub use crate::conduct::{Conduct, Leaving, Protocol, ReadError};
pub use crate::crypto::AwsLc;
pub use crate::seams::{DurableStep, Moment, Seams};

/// What the main server decides: pure functions over the record of one license server id (P 9, 16).
pub mod registry {
    pub use crate::registry::*;
}
