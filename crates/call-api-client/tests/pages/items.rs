//! Items that are read, or cannot be.

use super::*;

#[tokio::test]
async fn page_without_its_items_is_decoded_on_demand() {
    #[derive(Deserialize)]
    struct Rest {
        data: Vec<u64>,
        total: u64,
    }
    let service = Service::start(by_last_id).await;
    let page = service
        .pages::<u64>(&BY_LAST_ID, &[])
        .next()
        .await
        .unwrap()
        .unwrap();
    let rest: Rest = page.rest().unwrap();
    assert_eq!((rest.data, rest.total), (vec![], 4));
    let error = page.rest::<u64>().unwrap_err();
    assert_eq!(
        (error.kind(), error.status()),
        (ErrorKind::Decode, Some(200))
    );
}

#[tokio::test]
async fn bad_item_is_an_error_among_the_others() {
    #[derive(Debug, Deserialize)]
    struct Thing {
        owner: Owner,
    }
    #[derive(Debug, Deserialize)]
    struct Owner {
        id: u64,
    }
    let service = Service::start(|_: &Query| {
        let things = [
            json!({"owner": {"id": 1}}),
            json!({"owner": {"id": "canary"}}),
            json!(null),
            json!({"owner": {"id": 2}}),
        ];
        page(json!({"list": {"things": things}}))
    });
    const NESTED: Paging = Paging {
        items: &["list", "things"],
        ..BY_LAST_ID
    };
    let service = service.await;
    let mut items = service.pages::<Thing>(&NESTED, &[("q", "hidden")]).items();
    let mut read = Vec::new();
    while let Some(item) = items.next().await {
        read.push(item);
    }
    assert_eq!(read.len(), 4);
    assert_eq!(read[0].as_ref().unwrap().owner.id, 1);
    assert_eq!(read[3].as_ref().unwrap().owner.id, 2);
    let error = read[1].as_ref().unwrap_err();
    let item = error.item().unwrap();
    assert_eq!((item.index(), item.json_path()), (1, "owner.id"));
    assert_eq!(item.json(), br#"{"owner":{"id":"canary"}}"#);
    assert_eq!(
        (error.kind(), error.json_path(), error.status()),
        (
            ErrorKind::Decode,
            Some("list.things[1].owner.id"),
            Some(200)
        )
    );
    assert_eq!(
        read[2].as_ref().unwrap_err().json_path(),
        Some("list.things[2]")
    );
    for text in [
        format!("{error} {error:?} {error:#?}"),
        format!("{item} {item:?}"),
    ] {
        assert!(
            !text.contains("canary") && !text.contains("hidden"),
            "{text}"
        );
        assert!(text.contains("owner.id: invalid type: string"), "{text}");
    }
}

#[tokio::test]
async fn bad_item_does_not_keep_its_page_in_memory() {
    let service = Service::start(|_: &Query| page(json!({"data": [1, "two"]}))).await;
    let mut pages = service.pages::<u64>(&BY_LAST_ID, &[]);
    let page = pages.next().await.unwrap().unwrap();
    let error = page.items[1].as_ref().unwrap_err();
    let json = error.item().unwrap().json();
    assert_eq!(json, br#""two""#);
    assert!(!page.body.as_ptr_range().contains(&json.as_ptr()));
}

/// The document has no such operation, so that only the decoder sees the drift.
#[tokio::test]
async fn item_that_is_only_undecodable_is_counted_as_drift() {
    let service = Service::start(|query: &Query| {
        let last = if query.get("after").is_some() { 300 } else { 1 };
        let more = last == 1;
        page(json!({"data": [[1], [last, 300]], "has_more": more, "last_id": "x"}))
    });
    let service = service.await;
    for mode in [DriftMode::Watch, DriftMode::Strict] {
        let client = Client::builder().base_url(&service.url).drift(mode);
        let client = client.build().unwrap();
        let list = RawRequest::new(&client, Method::GET, &LIST).pages::<Vec<u8>>(&BY_LAST_ID);
        let collected = list.items().collect_up_to(9).await.unwrap();
        assert_eq!((collected.items.len(), collected.errors.len()), (2, 2));
        let expected = Drift::new("list_things", "data[][]", DriftKind::Undecodable);
        assert_eq!(client.drifts(), [(expected, 2)]);
    }
}

#[tokio::test]
async fn page_that_cannot_be_read_is_an_error_with_its_place() {
    for (body, path) in [
        ("", "."),
        ("{\"data\": [1", "."),
        ("{\"data\": {}}", "data"),
        ("{\"data\": null}", "data"),
        ("{\"detail\": \"oh\"}", "data"),
        ("[]", "data"),
        ("7", "data"),
    ] {
        let service = Service::start(move |_: &Query| body).await;
        let mut pages = service.pages::<u64>(&BY_LAST_ID, &[]);
        let error = pages.next().await.unwrap().unwrap_err();
        assert_eq!(
            (error.kind(), error.json_path()),
            (ErrorKind::Decode, Some(path)),
            "{body}"
        );
        assert!(pages.next().await.is_none());
    }
    const OPTIONAL: Paging = Paging {
        may_lack_items: true,
        ..BY_LAST_ID
    };
    for body in ["{\"data\": null}", "{\"detail\": \"oh\"}"] {
        let service = Service::start(move |_: &Query| body).await;
        let page = service
            .pages::<u64>(&OPTIONAL, &[])
            .next()
            .await
            .unwrap()
            .unwrap();
        assert!(page.items.is_empty() && page.next.is_none());
        page.rest::<Value>().unwrap();
    }
}

#[tokio::test]
async fn success_that_is_no_page_is_an_error() {
    let service = Service::start(|_: &Query| StatusCode::NO_CONTENT).await;
    assert_eq!(all(service.pages(&BY_LAST_ID, &[])).await.unwrap(), [0; 0]);
    for (status, body) in [(201, ""), (202, "{\"data\": []}"), (206, "{\"data\": []}")] {
        let status = StatusCode::from_u16(status).unwrap();
        let service = Service::start(move |_: &Query| (status, body)).await;
        let error = all(service.pages(&BY_LAST_ID, &[])).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.status()),
            (ErrorKind::UnexpectedStatus, Some(status.as_u16()))
        );
    }
}
