//! What every protobuf body starts with: `k8s\0` and a `runtime.Unknown`
//! (`apimachinery/pkg/runtime/generated.proto`), which names the object's type and holds its
//! bytes.

use super::reader::Wire;
use super::{Encode, Format, Message, Reader, Str, Tag, WireError, WireErrorKind, writer};

/// The first bytes of a Kubernetes protobuf body.
pub(super) const MAGIC: &[u8; 4] = b"k8s\0";

super::wire! {
    /// `runtime.TypeMeta`: the type of an object in an envelope.
    pub struct TypeMeta<'a> {
        1 "apiVersion" api_version: Str<'a>,
        2 "kind" kind: Str<'a>,
    }
}

/// An object's type, and its protobuf message.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Envelope<'a> {
    /// Group and version, such as `apps/v1`.
    pub api_version: Str<'a>,
    /// The kind, such as `Deployment` or `Status`.
    pub kind: Str<'a>,
    /// The object's own message.
    pub raw: &'a [u8],
    /// Where `raw` starts in the body, for the offsets of errors.
    pub raw_at: usize,
}

impl<'a> Envelope<'a> {
    /// Opens the envelope of a protobuf body.
    pub fn open(body: &'a [u8]) -> Result<Self, WireError> {
        let Some(unknown) = body.strip_prefix(MAGIC) else {
            let kind = match MAGIC.starts_with(body) {
                true => WireErrorKind::Truncated,
                false => WireErrorKind::Envelope,
            };
            return Err(WireError::new(kind, 0));
        };
        Self::read(unknown).map_err(|e| e.shifted(MAGIC.len()))
    }

    fn read(unknown: &'a [u8]) -> Result<Self, WireError> {
        let mut envelope = Self::default();
        let mut reader = Reader::new(unknown);
        while let Some(tag) = reader.tag()? {
            match tag {
                Tag { number: 1, wire: Wire::Bytes } => {
                    let mut meta = TypeMeta::default();
                    super::Decode::read(&mut meta, &mut reader)?;
                    (envelope.api_version, envelope.kind) = (meta.api_version, meta.kind);
                }
                Tag { number: 2, wire: Wire::Bytes } => {
                    envelope.raw = reader.bytes()?;
                    envelope.raw_at = MAGIC.len() + reader.position() - envelope.raw.len();
                }
                other => reader.skip(other)?,
            }
        }
        Ok(envelope)
    }
}

/// Writes the body of an object of this type in either format.
pub fn write_body<'a>(format: Format, api_version: &str, kind: &str, object: &impl Message<'a>) -> Vec<u8> {
    match format {
        Format::Protobuf => enveloped(api_version, kind, |out| object.write_fields(out)),
        Format::Json => {
            let mut out = super::to_json(&TypeMeta { api_version: api_version.into(), kind: kind.into() });
            let fields = super::to_json(&super::AsJson(object));
            if fields.len() > 2 {
                out.pop();
                out.push(b',');
                out.extend_from_slice(fields.get(1..).unwrap_or_default());
            }
            out
        }
    }
}

/// Writes a protobuf body: the envelope of an object of this type, whose message `body` appends.
pub fn enveloped(api_version: &str, kind: &str, body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    TypeMeta { api_version: api_version.into(), kind: kind.into() }.write(1, &mut out);
    writer::nested(2, &mut out, body);
    // Go writes these two (the encoding and the media type of `raw`) although they are empty
    writer::bytes(3, &[], &mut out);
    writer::bytes(4, &[], &mut out);
    out
}
