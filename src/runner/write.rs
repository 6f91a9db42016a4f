//! One write of one object: recorded, sent, sent again while the server or the way to it is busy,
//! and what came of it noted.

use super::api::{Api, ApiAnswer, ApiRequest};
use super::context::Context;
use super::gate::{Gate, Halt};
use super::scribe::Entry;
use super::steps::{AGAIN, End, before_server, passing, pause};
use crate::model::Text;
use crate::operations::Target;

/// The record of what is about to be done to an object.
pub(super) fn intent(target: &Target, verb: &'static str) -> Entry {
    Entry::new("intent").on(target).with("verb", verb)
}

/// Sends a request that may be sent again: what it changes it changes once.
pub(super) async fn write<A: Api>(
    ctx: &Context<A>,
    gate: &mut Gate,
    target: &Target,
    intent: Entry,
    request: ApiRequest,
) -> End {
    let title = target.title();
    if let Err(halt) = gate.pass().await {
        return End::Halted(halt, format!("{title}: nothing was sent").into());
    }
    let entry = || Entry::new("result").on(target);
    let recorded = match ctx.intend(target.cluster, intent).await {
        Ok(recorded) => recorded,
        Err(fault) => return End::NoRecord(fault.to_string().into()),
    };
    let mut told = Text::EMPTY;
    loop {
        let request = ApiRequest { timeout: gate.left(request.timeout), ..request.clone() };
        let (wait, why, silent) = match ctx.send(&recorded, request).await {
            Ok(answer) if answer.good() => {
                ctx.came(&recorded, entry().answered(&answer), Ok("done")).await;
                let name = ctx.name(target.cluster);
                return End::Done(format!("{title}: {name} answered {}", answer.status).into());
            }
            Ok(answer) if passing(answer.status) => (pause(&answer), answer.says(), before_server(&answer)),
            Ok(answer) => {
                let why = refused(target, &answer);
                ctx.came(&recorded, entry().answered(&answer), Err(&why)).await;
                return End::Failed(why);
            }
            Err(fault) => (AGAIN, Text::from(fault.to_string()), true),
        };
        if why != told {
            let line = format!("{title}: {why}; tried again in {} s", wait.as_secs().max(1));
            ctx.say(line).await;
            told = why.clone();
        }
        if let Err(halt) = gate.rest(wait).await {
            let left = Text::from(format!("{title}: it is not known whether it was done: {why}"));
            ctx.came(&recorded, entry(), Err(&left)).await;
            return if silent && halt == Halt::Deadline {
                End::Silent(left)
            } else {
                End::Halted(halt, left)
            };
        }
    }
}

/// Why a server refused a write, and what to do about it.
fn refused(target: &Target, answer: &ApiAnswer) -> Text {
    let title = target.title();
    // Seen at kube-apiserver 1.36: 422 for an object itself, 409 for its scale subresource and for a
    // delete; a JSON patch whose test does not hold is a 422 that names the path.
    let message = answer.body["message"].as_str().unwrap_or_default();
    let uid = ["metadata.uid", "/metadata/uid", "UID in precondition"].iter().any(|m| message.contains(m));
    let text = match answer.status {
        409 | 422 if uid => {
            format!("{title}: another object of that name is there by now; make the plan again")
        }
        404 if target.uid.is_none() => {
            format!("{title}: there is none; was it deployed here, and is the plan right?")
        }
        404 => format!("{title}: it is not there any more; make the plan again"),
        _ => format!("{title}: refused, {}", answer.says()),
    };
    text.into()
}
