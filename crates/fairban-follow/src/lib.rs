//! Follows logs that are being written.
