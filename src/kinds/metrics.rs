//! What nodes and pods use now: `metrics.k8s.io/v1beta1`
//! (`k8s.io/metrics/pkg/apis/metrics/v1beta1/generated.proto`). It can be listed, not watched.

use super::meta::{ObjectMeta, text, time};
use super::resources::{Amounts, amounts};
use super::wire::{Format, ListDecoder, ListEnd, Str, Time, WireError, from_protobuf, read_page, wire};
use crate::model::{Resources, Usage, Used};

wire! {
    /// What a node uses.
    pub struct NodeMetrics<'a> {
        1 "metadata" metadata: ObjectMeta<'a>,
        2 "timestamp" at: Time,
        4 "usage" usage: Amounts<'a>,
    }

    /// What a pod uses.
    pub struct PodMetrics<'a> {
        1 "metadata" metadata: ObjectMeta<'a>,
        2 "timestamp" at: Time,
        4 "containers" containers: Vec<ContainerMetrics<'a>>,
    }

    /// What a container uses.
    pub struct ContainerMetrics<'a> {
        1 "name" name: Str<'a>,
        2 "usage" usage: Amounts<'a>,
    }
}

macro_rules! list {
    ($(#[$doc:meta])* $name:ident: $metrics:ident) => {
        $(#[$doc])*
        pub fn $name(format: Format, body: &[u8], usage: &mut Usage) -> Result<ListEnd, WireError> {
            match format {
                Format::Json => read_page(body, &mut |metrics: $metrics<'_>| metrics.add(usage)),
                Format::Protobuf => {
                    let mut decoder = ListDecoder::new();
                    let mut bad = 0;
                    decoder.feed(body, &mut |item| match from_protobuf::<$metrics<'_>>(item) {
                        Ok(metrics) => metrics.add(usage),
                        Err(_) => bad += 1,
                    })?;
                    decoder.finish().map(|end| ListEnd { items: end.items - bad, bad: end.bad + bad, ..end })
                }
            }
        }
    };
}

list! {
    /// Adds a list of node metrics to `usage`.
    read_nodes: NodeMetrics
}

list! {
    /// Adds a list of pod metrics to `usage`.
    read_pods: PodMetrics
}

impl NodeMetrics<'_> {
    fn add(&self, usage: &mut Usage) {
        usage.measured = usage.measured.max(time(self.at));
        usage.nodes.insert(text(&self.metadata.name), used(amounts(&self.usage)));
    }
}

impl PodMetrics<'_> {
    fn add(&self, usage: &mut Usage) {
        usage.measured = usage.measured.max(time(self.at));
        let containers = self.containers.iter().map(|container| amounts(&container.usage));
        let sum = containers.fold(Resources::ZERO, |sum, container| sum + container);
        usage.pods.insert((text(&self.metadata.namespace), text(&self.metadata.name)), used(sum));
    }
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
        assert_eq!(by_json.pods[&("pay".into(), "p".into())], Used { cpu: 1010, memory: 2 << 20 });
        assert_eq!(by_json.measured.unwrap().rfc3339(), "2026-11-21T08:30:05Z");
    }
}
