//! One screen a file.

pub mod wall;
