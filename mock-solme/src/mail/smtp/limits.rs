//! The bounds of the SMTP listener: sizes, counts and times, as one value.

use std::time::Duration;

/// What one client, and all of them together, may take.
///
/// Memory is bounded by `connections` x (`line_bytes` + `message_bytes`): 64.25 MiB with the defaults, and only while
/// every connection is in the middle of a mail of the greatest size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one mail, announced as SIZE (RFC 1870). A greater one gets 552; what exceeds is not kept. Default 1 MiB.
    pub message_bytes: usize,
    /// Bytes of a mail that is already too great that are read and thrown away before the connection is cut. A client
    /// that ends its mail within them reads an orderly 552. Default 128 MiB.
    pub discarded_bytes: usize,
    /// Bytes of one line with its CR LF: the whole read buffer of a connection. A longer one gets 500 and ends the
    /// connection. Default 4096, four times what RFC 5321 section 4.5.3.1.6 allows.
    pub line_bytes: usize,
    /// Connections at one time. A further one takes the place of the one that has been silent for longest, which gets
    /// 421; if none is waiting for its client, the further one gets 421. Default 64.
    pub connections: usize,
    /// Commands of one connection, the lines of mails not counted; then 421. Default 1000.
    pub commands: usize,
    /// Commands of one connection answered with an error; then 421. Default 10.
    pub errors: usize,
    /// Recipients of one mail; a further one gets 452 (RFC 5321 section 4.5.3.1.10). Default 10.
    pub recipients: usize,
    /// The wait for a whole line, and for a client to take an answer; then 421. Default 60 s.
    pub idle: Duration,
    /// From MAIL FROM to the end of the mail, however busily it trickles; then 421. Default 300 s.
    pub mail: Duration,
    /// The wait for the sink; then 451. Default 30 s.
    pub delivery: Duration,
    /// The wait at shutdown for mails that are under way. Default 5 s.
    pub shut_down: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 1 << 20,
            discarded_bytes: 128 << 20,
            line_bytes: 4096,
            connections: 64,
            commands: 1000,
            errors: 10,
            recipients: 10,
            idle: Duration::from_secs(60),
            mail: Duration::from_secs(300),
            delivery: Duration::from_secs(30),
            shut_down: Duration::from_secs(5),
        }
    }
}
