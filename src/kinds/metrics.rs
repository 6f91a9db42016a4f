//! What nodes and pods use now: `metrics.k8s.io/v1beta1`
//! (`k8s.io/metrics/pkg/apis/metrics/v1beta1/generated.proto`). It can be listed, not watched.

use super::meta::{text, time};
use super::resources::{Amounts, amounts};
use super::wire::{Format, ListDecoder, ListEnd, Str, Time, WireError, from_protobuf, read_page, wire};
use crate::model::{PodUsageBuilder, Resources, Usage, Used};

wire! {
    /// Who uses it. The labels, which are most of an answer, are stepped over.
    pub struct Named<'a> {
        1 "name" name: Str<'a>,
        3 "namespace" namespace: Str<'a>,
    }

    /// What a node uses.
    pub struct NodeMetrics<'a> {
        1 "metadata" metadata: Named<'a>,
        2 "timestamp" at: Time,
        4 "usage" usage: Amounts<'a>,
    }

    /// What a pod uses.
    pub struct PodMetrics<'a> {
        1 "metadata" metadata: Named<'a>,
        2 "timestamp" at: Time,
        4 "containers" containers: Vec<ContainerMetrics<'a>>,
    }

    /// What a container uses.
    pub struct ContainerMetrics<'a> {
        1 "name" name: Str<'a>,
        2 "usage" usage: Amounts<'a>,
    }
}

/// Adds a list of node metrics to `usage`.
pub fn read_nodes(format: Format, body: &[u8], usage: &mut Usage) -> Result<ListEnd, WireError> {
    let Usage { measured, nodes, .. } = usage;
    let mut add = |node: NodeMetrics<'_>| {
        *measured = (*measured).max(time(node.at));
        nodes.insert(text(&node.metadata.name), used(amounts(&node.usage)));
    };
    match format {
        Format::Json => read_page(body, &mut add),
        Format::Protobuf => items(body, |item| from_protobuf(item).map(&mut add)),
    }
}

/// Puts a list of pod metrics into `usage`.
pub fn read_pods(format: Format, body: &[u8], usage: &mut Usage) -> Result<ListEnd, WireError> {
    let mut pods = PodUsageBuilder::default();
    let mut add = |pod: PodMetrics<'_>| {
        usage.measured = usage.measured.max(time(pod.at));
        let containers = pod.containers.iter().map(|container| amounts(&container.usage));
        let sum = containers.fold(Resources::ZERO, |sum, container| sum + container);
        pods.add(&pod.metadata.namespace, &pod.metadata.name, used(sum));
    };
    let end = match format {
        Format::Json => read_page(body, &mut add),
        Format::Protobuf => items(body, |item| from_protobuf(item).map(&mut add)),
    }?;
    usage.pods = pods.build();
    Ok(end)
}

/// Reads the items of a whole list in protobuf; those that cannot be read are counted.
fn items(body: &[u8], mut read: impl FnMut(&[u8]) -> Result<(), WireError>) -> Result<ListEnd, WireError> {
    let (mut decoder, mut bad) = (ListDecoder::new(), 0);
    decoder.feed(body, &mut |item| bad += usize::from(read(item).is_err()))?;
    decoder.finish().map(|end| ListEnd { items: end.items - bad, bad: end.bad + bad, ..end })
}

fn used(amounts: Resources) -> Used {
    Used { cpu: amounts.cpu, memory: amounts.memory }
}

#[cfg(test)]
mod tests {
    use super::super::wire::{Encode, ListMeta, Message, enveloped, from_json};
    use super::*;

    #[test]
    fn usage_is_read_from_both_formats() {
        let node = r#"{"metadata":{"name":"n1"},"timestamp":"2026-11-21T08:30:00Z","window":"20s",
            "usage":{"cpu":"156340978n","memory":"2028888Ki"}}"#;
        let pod = r#"{"metadata":{"name":"p","namespace":"pay"},"timestamp":"2026-11-21T08:30:05Z",
            "containers":[{"name":"a","usage":{"cpu":"10m","memory":"1Mi"}},
            {"name":"b","usage":{"cpu":"1","memory":"1Mi"}}]}"#;
        let json = |kind, item| format!(r#"{{"kind":"{kind}List","metadata":{{}},"items":[{item}]}}"#);
        fn protobuf<'a, M: Message<'a>>(item: &'a str) -> Vec<u8> {
            let item: M = from_json(item.as_bytes()).unwrap();
            enveloped("metrics.k8s.io/v1beta1", "XList", |out| {
                ListMeta::default().write(1, out);
                item.write(2, out);
            })
        }
        let (mut by_json, mut by_protobuf) = (Usage::default(), Usage::default());
        read_nodes(Format::Json, json("NodeMetrics", node).as_bytes(), &mut by_json).unwrap();
        read_pods(Format::Json, json("PodMetrics", pod).as_bytes(), &mut by_json).unwrap();
        read_nodes(Format::Protobuf, &protobuf::<NodeMetrics<'_>>(node), &mut by_protobuf).unwrap();
        let end = read_pods(Format::Protobuf, &protobuf::<PodMetrics<'_>>(pod), &mut by_protobuf).unwrap();
        assert_eq!(end.items, 1);
        assert_eq!(by_json, by_protobuf);
        assert_eq!(by_json.nodes["n1"], Used { cpu: 157, memory: 2_028_888 << 10 });
        assert_eq!(by_json.pods.get("pay", "p"), Some(Used { cpu: 1010, memory: 2 << 20 }));
        assert_eq!(by_json.measured.unwrap().rfc3339(), "2026-11-21T08:30:05Z");
    }
}
