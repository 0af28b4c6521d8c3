//! The integration tests that need no cluster.
