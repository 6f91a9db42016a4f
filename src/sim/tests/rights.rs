//! Roles beyond reading, and acting as somebody else.

use http::Method;
use serde_json::{Value, json};

use super::client::{Client, small};
use crate::sim::Role;

const PODS: &str = "/api/v1/pods";
const WEB: &str = "/apis/apps/v1/namespaces/shop/deployments/web";

#[tokio::test]
async fn an_operator_runs_things_and_owns_nothing() {
    let fleet = small().await;
    let operator = Client::new(&fleet, "alpha", Role::Operator);
    assert_eq!(operator.get(PODS).await.code, 200);
    assert_eq!(operator.patch(WEB, "merge", &json!({"spec": {"replicas": 5}})).await.code, 200);
    let scale = format!("{WEB}/scale");
    assert_eq!(operator.patch(&scale, "merge", &json!({"spec": {"replicas": 4}})).await.code, 200);
    let node = operator.get("/api/v1/nodes").await.json()["items"][0]["metadata"]["name"].clone();
    let node = format!("/api/v1/nodes/{}", node.as_str().unwrap());
    assert_eq!(operator.patch(&node, "merge", &json!({"spec": {"unschedulable": true}})).await.code, 200);
    assert_eq!(operator.delete(&node).await.code, 403);
    assert_eq!(operator.get("/api/v1/secrets").await.code, 403);
    assert_eq!(operator.delete("/api/v1/namespaces/shop").await.code, 403);
}

#[tokio::test]
async fn a_denial_takes_reading_and_not_writing() {
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    fleet.cluster("alpha").unwrap().deny("deployments", None);
    assert_eq!(client.get(WEB).await.code, 403);
    assert_eq!(client.patch(WEB, "merge", &json!({"spec": {"replicas": 5}})).await.code, 200);
}

#[tokio::test]
async fn only_an_administrator_acts_as_somebody_else() {
    let fleet = small().await;
    let (admin, viewer) =
        (Client::new(&fleet, "alpha", Role::Admin), Client::new(&fleet, "alpha", Role::Viewer));
    let secrets = "/api/v1/secrets";
    let get = async |client: &Client, headers: &[(&str, &str)]| {
        client.send(Method::GET, secrets, headers, &Value::Null).await
    };
    assert_eq!(get(&admin, &[]).await.code, 200);
    let as_viewer = get(&admin, &[("impersonate-user", "viewer")]).await;
    assert_eq!(as_viewer.code, 403);
    assert!(as_viewer.json()["message"].as_str().unwrap().contains("User \"viewer\" cannot list"));
    let stranger = [("impersonate-user", "jane")];
    let pods = admin.send(Method::GET, PODS, &stranger, &Value::Null).await;
    assert_eq!(pods.code, 403, "nobody gave her a right");
    let grouped = [("impersonate-user", "jane"), ("impersonate-group", "system:masters")];
    assert_eq!(get(&admin, &grouped).await.code, 200);
    let refused = get(&viewer, &[("impersonate-user", "admin")]).await;
    assert_eq!(refused.code, 403);
    assert!(refused.json()["message"].as_str().unwrap().contains("cannot impersonate resource \"users\""));
}

#[tokio::test]
async fn a_kubeconfig_for_others_has_every_user() {
    let fleet = small().await;
    let text = fleet.kubeconfig_with_users();
    for role in Role::ALL {
        assert!(text.contains(&format!("- name: {}\n  user:\n", role.user())), "{}", role.user());
        assert!(text.contains(fleet.token(role)));
    }
    assert!(!fleet.kubeconfig(Role::Viewer).contains(fleet.token(Role::Admin)));
}

#[tokio::test]
async fn bindings_of_clients_are_obeyed_and_reviews_agree() {
    let fleet = small().await;
    let admin = Client::new(&fleet, "alpha", Role::Admin);
    let rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop";
    let role = json!({"metadata": {"name": "pods"}, "rules": [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]});
    assert_eq!(admin.post(&format!("{rbac}/roles"), &role).await.code, 201);
    let binding = json!({"metadata": {"name": "jane"}, "subjects": [{"kind": "User", "name": "jane"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "pods"}});
    assert_eq!(admin.post(&format!("{rbac}/rolebindings"), &binding).await.code, 201);
    let jane = [("impersonate-user", "jane")];
    let code = async |path: &str| admin.send(Method::GET, path, &jane, &Value::Null).await.code;
    assert_eq!(code("/api/v1/namespaces/shop/pods").await, 200);
    assert_eq!(code("/api/v1/namespaces/default/pods").await, 403);
    assert_eq!(code(PODS).await, 403);
    assert_eq!(code("/api/v1/namespaces/shop/services").await, 403);
    let authorization = "/apis/authorization.k8s.io/v1";
    for (space, resource, may) in
        [("shop", "pods", true), ("default", "pods", false), ("shop", "services", false)]
    {
        let asked = json!({"namespace": space, "verb": "list", "resource": resource});
        let own = json!({"spec": {"resourceAttributes": asked}});
        let path = format!("{authorization}/selfsubjectaccessreviews");
        let said = admin.send(Method::POST, &path, &jane, &own).await.json();
        assert_eq!(said["status"]["allowed"], may, "{space} {resource}: {said}");
        let of = json!({"spec": {"user": "jane", "resourceAttributes": asked}});
        let said = admin.post(&format!("{authorization}/subjectaccessreviews"), &of).await.json();
        assert_eq!(said["status"]["allowed"], may, "{space} {resource}: {said}");
        let path = format!("{authorization}/namespaces/{space}/localsubjectaccessreviews");
        let said = admin.post(&path, &of).await.json();
        assert_eq!(said["status"]["allowed"], may, "{space} {resource}: {said}");
    }
    let path = format!("{authorization}/selfsubjectrulesreviews");
    let said = admin.send(Method::POST, &path, &jane, &json!({"spec": {"namespace": "shop"}})).await.json();
    assert_eq!(said["status"]["resourceRules"], role["rules"]);
    // a right that a binding gives can be taken away as well
    fleet.cluster("alpha").unwrap().deny("pods", None);
    assert_eq!(code("/api/v1/namespaces/shop/pods").await, 403);
    // and who may not ask about others is told so
    let viewer = Client::new(&fleet, "alpha", Role::Viewer);
    let asked = json!({"spec": {"user": "jane", "resourceAttributes": {"verb": "get", "resource": "pods"}}});
    assert_eq!(viewer.post(&format!("{authorization}/subjectaccessreviews"), &asked).await.code, 403);
}

#[tokio::test]
async fn nobody_gives_away_rights_that_they_do_not_have() {
    let fleet = small().await;
    let admin = Client::new(&fleet, "alpha", Role::Admin);
    let rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop";
    let group = "rbac.authorization.k8s.io";
    let role = |name: &str, rules: Value| json!({"metadata": {"name": name}, "rules": rules});
    let binding = |name: &str, role: &str, user: &str| {
        json!({"metadata": {"name": name}, "subjects": [{"kind": "User", "name": user}],
            "roleRef": {"apiGroup": group, "kind": "Role", "name": role}})
    };
    // jane reads pods and writes rights
    let rules = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
        {"apiGroups": [group], "resources": ["roles", "rolebindings"], "verbs": ["*"]}]);
    for verbs in [json!(["get", "create", "update", "patch"]), json!(["*"])] {
        let mut own = rules.clone();
        own[1]["verbs"] = verbs;
        let name = if own[1]["verbs"][0] == "*" { "all" } else { "some" };
        assert_eq!(admin.post(&format!("{rbac}/roles"), &role(name, own)).await.code, 201);
    }
    for (who, of) in [("jane", "some"), ("ruth", "all")] {
        assert_eq!(admin.post(&format!("{rbac}/rolebindings"), &binding(who, of, who)).await.code, 201);
    }
    let send = async |user: &str, method: Method, path: &str, body: &Value| {
        admin.send(method, path, &[("impersonate-user", user)], body).await
    };
    let roles = format!("{rbac}/roles");
    let reader = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]);
    assert_eq!(send("jane", Method::POST, &roles, &role("reader", reader)).await.code, 201, "she has that");
    let killer = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "delete"]}]);
    let refused = send("jane", Method::POST, &roles, &role("killer", killer.clone())).await;
    assert_eq!(refused.code, 403);
    assert_eq!(
        refused.json()["message"],
        "roles.rbac.authorization.k8s.io \"killer\" is forbidden: user \"jane\" (groups=[\"system:authenticated\"]) is \
         attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"pods\"], \
         Verbs:[\"delete\"]}"
    );
    let path = format!("{roles}/reader");
    let more = admin
        .send(
            Method::PATCH,
            &path,
            &[("impersonate-user", "jane"), ("content-type", "application/merge-patch+json")],
            &json!({"rules": killer}),
        )
        .await;
    assert_eq!(more.code, 403, "nor may she change one");
    // who may escalate writes any role, who may bind gives any
    assert_eq!(send("ruth", Method::POST, &roles, &role("killer", killer)).await.code, 201);
    let bindings = format!("{rbac}/rolebindings");
    assert_eq!(send("jane", Method::POST, &bindings, &binding("a", "killer", "joe")).await.code, 403);
    assert_eq!(send("jane", Method::POST, &bindings, &binding("b", "reader", "joe")).await.code, 201);
    assert_eq!(send("ruth", Method::POST, &bindings, &binding("c", "killer", "joe")).await.code, 201);
    let unknown = send("jane", Method::POST, &bindings, &binding("d", "nowhere", "joe")).await;
    assert_eq!(unknown.code, 404);
}
