//! Who a caller is, and what a reference stands for.

use super::*;

fn alias(accessor: &str, mount_type: &str) -> Alias {
    let (mount_accessor, mount_type) = (accessor.to_owned(), mount_type.to_owned());
    Alias { name: "a".to_owned(), mount_accessor, mount_type, ..Alias::default() }
}

fn entity(aliases: Vec<Alias>) -> Known {
    Known::Entity(Entity { id: "1".to_owned(), name: "e".to_owned(), aliases, ..Entity::default() })
}

fn clusters() -> Clusters {
    Clusters::from_iter([("auth_kubernetes_1".to_owned(), "prod".to_owned())])
}

#[test]
fn a_callers_cluster_is_that_of_its_alias() {
    let clusters = clusters();
    let caller = |known| Caller::of(known, Audience::everybody("app"), "iamra/", &clusters).unwrap();

    let pod =
        caller(entity(vec![alias("auth_userpass_1", "userpass"), alias("auth_kubernetes_1", "kubernetes")]));

    assert_eq!(pod.cluster(), Some(("prod", "auth_kubernetes_1")));
    assert_eq!(caller(entity(vec![alias("auth_userpass_1", "userpass")])).cluster(), None);
    assert_eq!(caller(Known::NotAsked).cluster(), None);
}

#[test]
fn two_aliases_under_one_mount_and_those_of_the_token_method_stand_for_nobody() {
    let clusters = clusters();
    let reference = Reference::parse("identity.entity.aliases.auth_x_1.name").unwrap();
    for (aliases, words) in [
        (vec![alias("auth_x_1", "userpass"), alias("auth_x_1", "userpass")], "two aliases under auth_x_1"),
        (vec![alias("auth_x_1", "token")], "token auth method"),
    ] {
        let caller = Caller::of(entity(aliases), Audience::everybody("app"), "iamra/", &clusters).unwrap();

        let fault = caller
            .resolve(&reference, SubjectField::Organization)
            .unwrap_err()
            .fault(SubjectField::Organization, &reference);

        assert!(fault.to_string().contains(words), "{fault}");
    }
}

#[test]
fn a_registered_mount_that_names_no_service_account_is_told_apart() {
    let clusters = clusters();
    let known = entity(vec![alias("auth_kubernetes_1", "kubernetes")]);
    let caller = Caller::of(known, Audience::everybody("app"), "iamra/", &clusters).unwrap();
    let reference = Reference::Kubernetes(Pod::Namespace);

    let fault = caller
        .resolve(&reference, SubjectField::CommonName)
        .unwrap_err()
        .fault(SubjectField::CommonName, &reference);

    assert!(fault.to_string().contains("no metadata \"service_account_namespace\""), "{fault}");
}
