//! Reading objects: one, or lists in pages.

use std::sync::Arc;

use crate::sim::json::{Value, json};

use super::call::Call;
use super::encode::{Form, Writer, selectable};
use super::faulty;
use super::reply::Answer;
use super::target::Target;
use crate::sim::cluster::Shared;
use crate::sim::fields::{name, namespace};
use crate::sim::refusal::{Cause, Refusal};
use crate::sim::selector::{FieldTerms, Labels};
use crate::sim::world::World;

/// What a list or watch selects.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    namespace: Option<String>,
    labels: Labels,
    fields: FieldTerms,
    /// All of it as the client wrote it: what further pages of a list are known by.
    text: String,
}

impl Selection {
    pub(super) fn read(call: &Call, target: &Target) -> Result<Selection, Refusal> {
        let fields = call.query.get("fieldSelector").replace("regarding.", "involvedObject.");
        let labels = call.query.get("labelSelector");
        Ok(Selection {
            text: format!("{}\n{labels}\n{fields}", target.space()),
            namespace: target.namespace.clone(),
            labels: Labels::parse(labels).map_err(Refusal::bad_request)?,
            fields: FieldTerms::parse(&fields, &selectable(target)).map_err(Refusal::bad_request)?,
        })
    }

    pub(super) fn matches(&self, object: &Value) -> bool {
        self.namespace.as_deref().is_none_or(|n| n == namespace(object))
            && self.labels.matches_object(object)
            && self.fields.matches(object)
    }

    /// Whether it leaves anything out by labels or fields.
    pub(super) fn narrows(&self) -> bool {
        !self.labels.is_empty() || !self.fields.is_empty()
    }

    /// Every selected object now, in the order of lists.
    pub(super) fn all(&self, world: &World, target: &Target) -> Vec<Arc<Value>> {
        let objects = world.store.list(target.slot, self.namespace.as_deref());
        objects.filter(|o| self.matches(o)).cloned().collect()
    }
}

/// Where a list goes on: the version it shows and the last object served.
#[derive(Debug, PartialEq)]
struct Token {
    /// Zero goes on without a version: the "inconsistent" token of a 410.
    version: u64,
    after: String,
}

impl Token {
    fn write(&self) -> String {
        let hex: String = self.after.bytes().map(|b| format!("{b:02x}")).collect();
        format!("{}.{hex}", self.version)
    }

    fn read(text: &str) -> Option<Token> {
        let (version, hex) = text.split_once('.')?;
        let byte = |i: usize| hex.get(i..i + 2).and_then(|h| u8::from_str_radix(h, 16).ok());
        let bytes: Option<Vec<u8>> = (0..hex.len()).step_by(2).map(byte).collect();
        Some(Token { version: version.parse().ok()?, after: String::from_utf8(bytes?).ok()? })
    }

    /// The refusal when what it goes on with is gone; it says where an inconsistent list goes on.
    fn expired(&self) -> Refusal {
        Refusal::expired_pages(Token { version: 0, after: self.after.clone() }.write())
    }
}

fn place(object: &Value) -> String {
    format!("{}/{}", namespace(object), name(object))
}

/// The objects of a list, the version that it shows, and where it ends if it is a page.
struct Page {
    items: Arc<Vec<Arc<Value>>>,
    from: usize,
    to: usize,
    version: u64,
    consistent: bool,
}

/// Of when a list is (`apiserver/pkg/endpoints/handlers/get.go`, and the table in
/// "Resource versions" of the documentation of the API).
#[derive(Clone, Copy)]
enum Moment {
    /// Of now, which must not be before a version.
    NotBefore(u64),
    /// As it was at a version.
    Exactly(u64),
}

impl Moment {
    fn read(call: &Call, goes_on: bool, limit: usize) -> Result<Moment, Refusal> {
        let refuse = |cause| Err(Refusal::options("ListOptions", &[cause]));
        let given = call.query.get("resourceVersion");
        let odd = |why| Refusal::bad_request(format!("invalid resource version: {why}"));
        let version = call.query.version().map_err(odd)?;
        let what = call.query.get("resourceVersionMatch");
        if call.query.flag("sendInitialEvents") {
            let why = "sendInitialEvents is forbidden for list";
            return refuse(Cause::forbidden("sendInitialEvents", why));
        }
        if what.is_empty() {
            if goes_on && version > 0 {
                let why = "specifying resource version is not allowed when using continue";
                return Err(Refusal::bad_request(why));
            }
            // from before there was a choice: pages are of one moment
            let exact = limit > 0 && version > 0 && !goes_on;
            return Ok(if exact { Moment::Exactly(version) } else { Moment::NotBefore(version) });
        }
        let field = "resourceVersionMatch";
        if given.is_empty() {
            let why = "resourceVersionMatch is forbidden unless resourceVersion is provided";
            return refuse(Cause::forbidden(field, why));
        }
        if goes_on {
            return refuse(Cause::forbidden(
                field,
                "resourceVersionMatch is forbidden when continue is provided",
            ));
        }
        match what {
            "NotOlderThan" => Ok(Moment::NotBefore(version)),
            "Exact" if version == 0 => {
                let why = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
                refuse(Cause::forbidden(field, why))
            }
            "Exact" => Ok(Moment::Exactly(version)),
            other => refuse(Cause::unsupported(field, other, &["Exact", "NotOlderThan", ""])),
        }
    }

    fn version(self) -> u64 {
        match self {
            Moment::NotBefore(version) | Moment::Exactly(version) => version,
        }
    }
}

/// A list, or a page of one.
pub(super) fn list(shared: &Arc<Shared>, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let form = Form::negotiate(call, target)?;
    let selection = Selection::read(call, target)?;
    // the cache of a real server answers whole (`shouldDelegateList`)
    let cached = call.query.get("resourceVersion") == "0" && call.query.get("continue").is_empty();
    let faults = faulty::pages(shared, (&target.group, &target.spec.plural));
    let asked = if faults.no_limit || cached { None } else { call.query.number("limit")? };
    let limit = asked.map_or(0, |n| usize::try_from(n).unwrap_or(usize::MAX));
    // a page of one is only asked for its version
    let limit = faults.short.map_or(limit, |short| if limit == 1 { 1 } else { short });
    let token = match call.query.get("continue") {
        "" => None,
        text => {
            let odd = || Refusal::bad_request("continue key is not valid: invalid continue token");
            Some(Token::read(text).ok_or_else(odd)?)
        }
    };
    let moment = Moment::read(call, token.is_some(), limit)?;
    let (page, now) = shared.with(|world| {
        if moment.version() > world.store.version() {
            return Err(Refusal::ahead(moment.version(), world.store.version()));
        }
        let moment = match (faults.behind, moment) {
            // a replica that lags behind shows what it has
            (Some(behind), Moment::NotBefore(_)) => {
                Moment::Exactly(world.store.version().saturating_sub(behind))
            }
            _ => moment,
        };
        Ok((page(world, target, &selection, token.as_ref(), moment, limit)?, world.now))
    })?;
    let mut page = page;
    if faults.repeats && token.is_some() {
        page.from = page.from.saturating_sub(1);
    }
    let mut meta = json!({ "resourceVersion": page.version.to_string() });
    if target.version.is_some() && matches!(form, Form::Json) {
        // untyped lists say that they end
        meta["continue"] = json!("");
    }
    let left = page.items.len() - page.to;
    if left > 0 {
        let version = if page.consistent { page.version } else { 0 };
        goes_on(&mut meta, version, &page.items[..page.to], (!selection.narrows()).then_some(left));
    } else if faults.endless {
        meta["continue"] = json!(Token { version: 0, after: String::new() }.write());
    }
    let mut items: Vec<&Value> = page.items[page.from..page.to].iter().map(AsRef::as_ref).collect();
    let large = faults.large.and_then(|bytes| Some(faulty::large(items.first()?, bytes)));
    if let (Some(large), Some(first)) = (&large, items.first_mut()) {
        *first = large;
    }
    let writer = Writer::new(form, target, call.query.get("includeObject"), now);
    Ok(Answer::bytes(form.content_type(), writer.list(&items, &meta)))
}

fn page(
    world: &mut World,
    target: &Target,
    selection: &Selection,
    token: Option<&Token>,
    moment: Moment,
    limit: usize,
) -> Result<Page, Refusal> {
    let current = world.store.version();
    let (items, version, consistent) = match token {
        None => match moment {
            Moment::Exactly(version) => (at(world, target, selection, version)?, version, true),
            Moment::NotBefore(_) => (Arc::new(selection.all(world, target)), current, true),
        },
        Some(token) if token.version == 0 => (Arc::new(selection.all(world, target)), current, false),
        Some(token) => match world.store.open_list(target.slot, token.version, &selection.text) {
            Some(items) => (items, token.version, true),
            // somebody else's token, or one that is older than what is kept: the log may still know
            None if within(world, target, token.version) => match at(world, target, selection, token.version)
            {
                Ok(items) => (items, token.version, true),
                Err(_) => return Err(token.expired()),
            },
            None => return Err(token.expired()),
        },
    };
    let from = token.map_or(0, |t| items.partition_point(|o| place(o) <= t.after));
    let to = if limit == 0 { items.len() } else { items.len().min(from.saturating_add(limit)) };
    if consistent && to < items.len() {
        world.store.keep_open(target.slot, version, &selection.text, items.clone());
    }
    Ok(Page { items, from, to, version, consistent })
}

/// Says in a list where it goes on after these objects, and how many are left. What narrows a list
/// is not counted: a real server would have to read it first.
pub(super) fn goes_on(meta: &mut Value, version: u64, so_far: &[Arc<Value>], left: Option<usize>) {
    let after = so_far.last().map(|o| place(o)).unwrap_or_default();
    meta["continue"] = json!(Token { version, after }.write());
    if let Some(left) = left {
        meta["remainingItemCount"] = json!(left);
    }
}

/// Whether a version was given out and is not compacted.
fn within(world: &World, target: &Target, version: u64) -> bool {
    version <= world.store.version() && world.store.can_begin(target.slot, version).is_ok()
}

/// The selected objects as they were at a version.
fn at(
    world: &World,
    target: &Target,
    selection: &Selection,
    version: u64,
) -> Result<Arc<Vec<Arc<Value>>>, Refusal> {
    let then = world.store.list_at(target.slot, version)?;
    Ok(Arc::new(then.into_iter().filter(|o| selection.matches(o)).collect()))
}

/// One object.
pub(super) fn get(shared: &Arc<Shared>, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let form = Form::negotiate(call, target)?;
    let (object, now) = shared
        .read(|world| Ok((world.store.need(target.slot, target.space(), target.named())?, world.now)))?;
    let writer = Writer::new(form, target, call.query.get("includeObject"), now);
    Ok(Answer::bytes(form.content_type(), writer.object(&object, true)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back() {
        let token = Token { version: 42, after: "a/b-ü".into() };
        assert_eq!(Token::read(&token.write()), Some(token));
        for odd in ["", "x", "1.zz", "1.f", "9.éa"] {
            assert_eq!(Token::read(odd), None, "{odd}");
        }
    }
}
