//! Connectors: code that talks to a kind of target.
