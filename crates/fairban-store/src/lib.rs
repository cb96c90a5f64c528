//! What fairban remembers.
