//! Cursors and URLs of next pages: which are followed, kept or refused.

use super::*;

#[tokio::test]
async fn page_says_its_cursor_and_the_list_goes_on_from_it_later() {
    let service = Service::start(by_last_id).await;
    let mut pages = service.pages::<u64>(&BY_LAST_ID, &[]);
    let first = pages.next().await.unwrap().unwrap();
    let second = pages.next().await.unwrap().unwrap();
    assert_eq!((&first.cursor, &second.cursor), (&None, &first.next));
    assert_eq!(second.status, 200);
    assert_eq!(second.attempt_log.attempts().len(), 1);

    let stored = serde_json::to_string(&second.next).unwrap();
    assert_eq!(stored, "\"1\"");
    let cursor: Cursor = serde_json::from_str(&stored).unwrap();
    assert_eq!(format!("{cursor} {cursor:?}"), "1 Cursor(…)");
    assert_eq!(cursor, "1".parse().unwrap());
    let rest = all(service.pages(&BY_LAST_ID, &[]).after(cursor))
        .await
        .unwrap();
    assert_eq!(rest, [2, 3]);
}

#[tokio::test]
async fn cursor_that_is_set_after_the_first_page_has_no_effect() {
    let service = Service::start(by_last_id).await;
    let mut pages = service.pages::<u64>(&BY_LAST_ID, &[]).after("0");
    let second = pages.next().await.unwrap().unwrap();
    assert_eq!(*second.items[0].as_ref().unwrap(), 1);
    assert_eq!(all(pages.after("2")).await.unwrap(), [2, 3]);
}

#[tokio::test]
async fn list_without_end_is_an_error() {
    // The cursors of a list: the page after each one has the next, and the last one is followed by one before it.
    async fn circle(length: u64, back_to: u64) -> (u64, usize) {
        let service = Service::start(move |query: &Query| {
            let at: u64 = query.get("after").map_or(0, |at| at.parse().unwrap());
            let next = if at + 1 == length { back_to } else { at + 1 };
            page(json!({"data": [at], "has_more": true, "last_id": next.to_string()}))
        });
        let service = service.await;
        let error = all(service.pages(&BY_LAST_ID, &[])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Paging, "{error}");
        assert_eq!(error.status(), Some(200));
        let last = error
            .cursor()
            .map_or(0, |cursor| cursor.as_str().parse().unwrap());
        (last, service.targets().len())
    }
    // The cursor that was sent comes back: no page is requested twice.
    assert_eq!(circle(2, 1).await, (1, 2));
    for (length, back_to) in [(3, 1), (10, 9), (50, 2), (64, 1), (65, 40)] {
        let (_, requests) = circle(length, back_to).await;
        assert!(
            requests as u64 <= 4 * length,
            "{requests} requests for {length} pages"
        );
    }
}

#[tokio::test]
async fn page_that_cannot_be_followed_is_an_error() {
    const OFFSET: NextPage = NextPage::Offset {
        parameter: "offset",
    };
    const LAST_ITEM: NextPage = NextPage::LastItem {
        property: "id",
        parameter: "after",
    };
    const URL: NextPage = NextPage::Url { value: &["next"] };
    for (name, next, body) in [
        (
            "no cursor",
            BY_LAST_ID.next,
            json!({"data": [1], "has_more": true}),
        ),
        (
            "null cursor",
            BY_LAST_ID.next,
            json!({"data": [1], "has_more": true, "last_id": null}),
        ),
        (
            "empty page",
            LAST_ITEM,
            json!({"data": [], "has_more": true}),
        ),
        (
            "item without an id",
            LAST_ITEM,
            json!({"data": [{"id": null}], "has_more": true}),
        ),
        (
            "empty page by offset",
            OFFSET,
            json!({"data": [], "has_more": true}),
        ),
        ("same page by offset", OFFSET, json!({"data": [1]})),
        ("same page by number", BY_NUMBER.next, json!({"data": [1]})),
        (
            "same page by offset, and more",
            OFFSET,
            json!({"data": [1], "has_more": true}),
        ),
        (
            "same page by number, and more",
            BY_NUMBER.next,
            json!({"data": [1], "has_more": true}),
        ),
        (
            "only empty pages",
            BY_NUMBER.next,
            json!({"data": [], "has_more": true}),
        ),
        (
            "same URL",
            URL,
            json!({"data": [1], "next": "/v1/things?page=2"}),
        ),
        ("not a URL", URL, json!({"data": [1], "next": "http://["})),
    ] {
        let paging: &'static Paging = Box::leak(Box::new(Paging { next, ..BY_LAST_ID }));
        let service = Service::start(move |_: &Query| page(body.clone())).await;
        let mut items = service.pages::<Value>(paging, &[]).items();
        let error = loop {
            match items.next().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => break error,
                None => panic!("{name}: the list ended"),
            }
        };
        assert!(items.next().await.is_none(), "{name}");
        assert_eq!(error.kind(), ErrorKind::Paging, "{name}: {error}");
        assert!(service.targets().len() <= 102, "{name}");
    }
}

#[tokio::test]
async fn page_that_cannot_be_followed_is_delivered_first() {
    for last in [json!("2"), json!("1"), json!(null)] {
        // The page of the cursor 2 repeats its own cursor, leads back, or has none.
        let service = Service::start(move |query: &Query| {
            let at = query.number("after", 0);
            let next = if at == 2 {
                last.clone()
            } else {
                json!((at + 1).to_string())
            };
            page(json!({"data": [at], "has_more": true, "last_id": next}))
        });
        let service = service.await;
        let mut items = service.pages::<u64>(&BY_LAST_ID, &[]).items();
        let collected = items.collect_up_to(3).await.unwrap();
        assert_eq!((collected.items, collected.has_more), (vec![0, 1, 2], true));
        let error = items.next().await.unwrap().unwrap_err();
        assert_eq!(
            (error.kind(), error.status()),
            (ErrorKind::Paging, Some(200))
        );
        assert_eq!(error.cursor().map(Cursor::as_str), Some("2"));
        assert!(items.next().await.is_none());
        assert_eq!(service.targets().len(), 3);
    }
}

#[tokio::test]
async fn page_that_repeats_the_one_before_it_is_left_to_a_later_stream() {
    let service = Service::start(|_: &Query| page(json!({"data": [1]}))).await;
    let mut items = service.pages::<u64>(&BY_NUMBER, &[]).items();
    assert_eq!(items.next().await.unwrap().unwrap(), 1);
    let error = items.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Paging);
    let cursor = error.cursor().unwrap().clone();
    let mut later = service.pages::<u64>(&BY_NUMBER, &[]).after(cursor).items();
    assert_eq!(later.next().await.unwrap().unwrap(), 1);
}

#[tokio::test]
async fn empty_page_with_a_new_cursor_is_followed() {
    let service = Service::start(|query: &Query| {
        let at = query.number("after", 0);
        let data: &[usize] = if at == 5 { &[5] } else { &[] };
        page(json!({"data": data, "has_more": at < 6, "last_id": at + 1}))
    });
    assert_eq!(
        all(service.await.pages(&BY_LAST_ID, &[])).await.unwrap(),
        [5]
    );
}

#[tokio::test]
async fn url_of_another_service_is_refused() {
    const BY_URL: Paging = Paging {
        next: NextPage::Url { value: &["next"] },
        ..BY_LAST_ID
    };
    let other = Service::start(|_: &Query| page(json!({"data": [9]}))).await;
    let elsewhere = format!("{}/v1/things?a=1", other.url);
    for next in [
        &elsewhere,
        "/v1/others?a=1",
        "/v1/things/../others",
        "//calls.example/v1/things",
    ] {
        let next = next.to_owned();
        let service =
            Service::start(move |_: &Query| page(json!({"data": [1], "next": next}))).await;
        let mut items = service.pages::<u64>(&BY_URL, &[]).items();
        assert_eq!(items.next().await.unwrap().unwrap(), 1);
        let error = items.next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        assert_eq!((service.targets().len(), other.targets().len()), (1, 0));
    }
}

#[tokio::test]
async fn url_in_place_of_a_cursor_is_never_sent_as_one() {
    const BY_NEXT: Paging = Paging {
        has_more: None,
        next: NextPage::Cursor {
            value: &["next"],
            parameter: "after",
        },
        ..BY_LAST_ID
    };
    for (next, is_url) in [
        ("https://calls.example/v1/things?after=x", true),
        ("/v1/things?after=x", true),
        ("/v1/things/x", true),
        ("?after=x", false),
        ("/8J+mgA==", false),
        ("id:x", false),
    ] {
        let service = Service::start(move |query: &Query| match query.get("after") {
            None => page(json!({"data": [1], "next": next})),
            Some(_) => page(json!({"data": [2]})),
        });
        let service = service.await;
        let mut items = service.pages::<u64>(&BY_NEXT, &[]).items();
        assert_eq!(items.next().await.unwrap().unwrap(), 1);
        match items.next().await.unwrap() {
            Ok(item) => assert_eq!((item, is_url), (2, false), "{next}"),
            Err(error) => assert_eq!((error.kind(), is_url), (ErrorKind::Paging, true), "{next}"),
        }
        assert_eq!(service.targets().len(), 2 - usize::from(is_url), "{next}");
    }
}

#[tokio::test]
async fn cursor_holds_no_credential() {
    const WITH_KEY: Operation = Operation {
        auth: Auth::Scheme("key", &Auth::ApiKeyQuery("api_key")),
        ..LIST
    };
    const BY_URL: Paging = Paging {
        next: NextPage::Url { value: &["next"] },
        ..BY_LAST_ID
    };
    let service = Service::start(|query: &Query| {
        assert_eq!(query.get("api_key"), Some("canary"));
        match query.get("at") {
            None => page(json!({"data": [1], "next": format!("?at=1&{}", query.0)})),
            Some(_) => page(json!({"data": [2]})),
        }
    });
    let service = service.await;
    let token = call_api_client::transport::Token::new("canary").unwrap();
    let transport = Transport::builder(&service.url)
        .credential("key", token)
        .build()
        .unwrap();
    let client = Client::new(transport);
    let list = RawRequest::new(&client, Method::GET, &WITH_KEY);
    let mut pages = list.query("q", &"/".into(), None).pages::<u64>(&BY_URL);
    let first = pages.next().await.unwrap().unwrap();
    assert_eq!(
        first.next.as_ref().map(Cursor::as_str),
        Some("/v1/things?at=1&q=%2F")
    );
    let second = pages.next().await.unwrap().unwrap();
    assert_eq!(*second.items[0].as_ref().unwrap(), 2);
}

#[tokio::test]
async fn cursor_of_another_list_is_refused() {
    let service = Service::start(|_: &Query| StatusCode::OK).await;
    for (paging, cursor) in [(&BY_NUMBER, "abc"), (&BY_NUMBER, "-1")] {
        let mut pages = service.pages::<u64>(paging, &[]).after(cursor);
        let error = pages.next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert_eq!(error.cursor().map(Cursor::as_str), Some(cursor));
    }
    assert!(service.targets().is_empty());
}
