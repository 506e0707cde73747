//! The templates of this domain.
