//! Protobuf out: the few forms that Kubernetes uses.

use super::reader::Wire;

/// Appends an integer.
pub(super) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a field's tag.
pub(super) fn tag(number: u32, wire: Wire, out: &mut Vec<u8>) {
    let wire = match wire {
        Wire::Varint => 0,
        Wire::Fixed64 => 1,
        Wire::Bytes => 2,
        Wire::Group => 3,
        Wire::GroupEnd => 4,
        Wire::Fixed32 => 5,
    };
    varint(u64::from(number) << 3 | wire, out);
}

/// Appends an integer field.
pub(crate) fn integer(number: u32, value: i64, out: &mut Vec<u8>) {
    tag(number, Wire::Varint, out);
    varint(value.cast_unsigned(), out);
}

/// Appends a length-delimited field of known bytes.
pub(crate) fn bytes(number: u32, value: &[u8], out: &mut Vec<u8>) {
    tag(number, Wire::Bytes, out);
    varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

/// Appends a length-delimited field whose bytes `body` appends.
///
/// The length is known only afterwards: room for one byte is left, and the body of a larger one
/// moves up. Objects are a few kilobytes and a few levels deep, so that is cheaper than a pass
/// over the object that computes the lengths first.
pub(crate) fn nested(number: u32, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    tag(number, Wire::Bytes, out);
    let start = out.len();
    out.push(0);
    body(out);
    let length = out.len() - start - 1;
    let mut prefix = Vec::with_capacity(4);
    varint(length as u64, &mut prefix);
    out.splice(start..=start, prefix);
}
