//! The watched kinds: what of each object is read, from which field of which wire format, and
//! how it becomes a record.

pub mod wire;
