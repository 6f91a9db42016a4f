//! How the parts of an object are laid out, for whoever merges them: which lists are keyed, which
//! are sets, and what is one value. Built-in kinds say it in the table of fields, custom ones in
//! their schema.

use crate::sim::json::Value;

use super::schema::{Field, Message, Shape};

/// The layout of one part of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Layout<'a> {
    /// An object of a built-in kind, or a part of one.
    Message(&'static Message),
    /// What a field holds.
    Field(&'static Field),
    /// One item or one entry of what a field holds.
    Item(&'static Field),
    /// A part with a structural schema.
    Schema(&'a Value),
    /// Nothing is known: objects are merged, lists are one value.
    Free,
}

/// What a list is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Listing {
    /// One value.
    Atomic,
    /// Values, each at most once.
    Set,
    /// Objects that these fields tell apart.
    Keyed(Vec<String>),
}

impl<'a> Layout<'a> {
    fn of(message: Option<&'static Message>) -> Layout<'a> {
        message.map_or(Layout::Free, Layout::Message)
    }

    /// The layout of a field of an object.
    pub(crate) fn child(self, key: &str) -> Layout<'a> {
        match self {
            Layout::Message(message) => message.field(key).map_or(Layout::Free, Layout::Field),
            Layout::Field(field) if field.shape == Shape::Map => Layout::Item(field),
            Layout::Field(field) | Layout::Item(field) => match field.message() {
                Some(message) => Layout::of(Some(message)).child(key),
                None => Layout::Free,
            },
            Layout::Schema(schema) => {
                let property = schema.get("properties").and_then(|p| p.get(key));
                let property = property.or_else(|| schema.get("additionalProperties"));
                match (property, key) {
                    (Some(inner), _) if inner.get("type").is_some() || inner.get("properties").is_some() => {
                        Layout::Schema(inner)
                    }
                    (_, "metadata") => Layout::of(super::schema::named("meta/v1.ObjectMeta")),
                    _ => Layout::Free,
                }
            }
            Layout::Free if key == "metadata" => Layout::of(super::schema::named("meta/v1.ObjectMeta")),
            Layout::Free => Layout::Free,
        }
    }

    /// The layout of an item of a list.
    pub(crate) fn item(self) -> Layout<'a> {
        match self {
            Layout::Field(field) => Layout::Item(field),
            Layout::Schema(schema) => schema.get("items").map_or(Layout::Free, Layout::Schema),
            _ => Layout::Free,
        }
    }

    /// What a list here is.
    pub(crate) fn listing(self) -> Listing {
        match self {
            Layout::Field(field) if !field.keys.is_empty() => {
                Listing::Keyed(field.keys.iter().map(|k| (*k).to_owned()).collect())
            }
            Layout::Field(field) if field.set => Listing::Set,
            Layout::Schema(schema) => match schema.get("x-kubernetes-list-type").and_then(Value::as_str) {
                Some("map") => {
                    let keys = super::fields::list(schema, "x-kubernetes-list-map-keys").iter();
                    Listing::Keyed(keys.filter_map(Value::as_str).map(str::to_owned).collect())
                }
                Some("set") => Listing::Set,
                _ => Listing::Atomic,
            },
            _ => Listing::Atomic,
        }
    }

    /// Whether an object here is one value.
    pub(crate) fn atomic(self) -> bool {
        match self {
            Layout::Field(field) | Layout::Item(field) => field.atomic,
            Layout::Schema(schema) => {
                schema.get("x-kubernetes-map-type").and_then(Value::as_str) == Some("atomic")
            }
            _ => false,
        }
    }

    /// The key by which a strategic patch merges a list here; empty for values.
    pub(crate) fn merge_key(self) -> Option<&'static str> {
        match self {
            Layout::Field(field) => field.merge,
            _ => None,
        }
    }
}
