//! HTTP/2: requests, limits, and the ways in which a connection or a stream ends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::{Request, Response, StatusCode, Version};
use http_body::Frame;
use http_body_util::{BodyExt as _, Empty, StreamBody};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::server::{Server, shake};
use crate::http::{Body, BoxError, full};

/// One connection of a client.
struct Client {
    requests: SendRequest<Empty<Bytes>>,
    connection: JoinSet<Result<(), hyper::Error>>,
}

impl Client {
    async fn of(server: &Server) -> Self {
        Self::with(server, &Builder::new(TokioExecutor::new())).await
    }

    async fn with(server: &Server, builder: &Builder<TokioExecutor>) -> Self {
        let stream = shake(server.client(&[b"h2"]), server.dial()).await.unwrap();
        let (requests, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(connection);
        Self { requests, connection: tasks }
    }

    fn ask(
        &mut self,
        path: &str,
    ) -> impl Future<Output = hyper::Result<Response<Incoming>>> + use<> {
        let uri = format!("https://localhost{path}");
        self.requests.send_request(Request::get(uri).body(Empty::new()).unwrap())
    }

    /// Waits until the connection ended.
    async fn end(&mut self) {
        self.connection.join_next().await;
    }
}

async fn text(answer: hyper::Result<Response<Incoming>>) -> String {
    let body = answer.unwrap().into_body().collect().await.unwrap();
    String::from_utf8(body.to_bytes().to_vec()).unwrap()
}

/// A body of pieces that may end in an error.
fn pieces(pieces: impl Stream<Item = Result<&'static str, BoxError>> + Send + 'static) -> Body {
    Body::new(StreamBody::new(pieces.map(|piece| piece.map(|text| Frame::data(text.into())))))
}

#[tokio::test]
async fn requests_of_one_connection_are_answered_side_by_side() {
    let meet = Arc::new(tokio::sync::Barrier::new(3));
    let server = Server::answering(move |request| {
        let meet = Arc::clone(&meet);
        async move {
            meet.wait().await;
            assert_eq!(request.version(), Version::HTTP_2);
            Response::new(full(request.uri().path().to_owned()))
        }
    });
    let mut client = Client::of(&server).await;
    let (a, b, c) = (client.ask("/a"), client.ask("/b"), client.ask("/c"));
    let (a, b, c) = tokio::join!(a, b, c);
    assert_eq!(
        (text(a).await, text(b).await, text(c).await),
        ("/a".into(), "/b".into(), "/c".into())
    );
}

#[tokio::test]
async fn a_body_that_fails_is_a_reset_stream_and_never_a_clean_end() {
    let arrived = Arc::new(Notify::new());
    let told = Arc::clone(&arrived);
    let server = Server::answering(move |request| {
        let broken = request.uri().path() == "/broken";
        let end = if broken { Err("a piece fails its seal".into()) } else { Ok("end") };
        let arrived = Arc::clone(&told);
        async move {
            let rest = futures::stream::once(async move {
                arrived.notified().await;
                end
            });
            Response::new(pieces(futures::stream::iter([Ok("some ")]).chain(rest)))
        }
    });
    let mut client = Client::of(&server).await;
    for path in ["/broken", "/whole"] {
        let mut body = client.ask(path).await.unwrap().into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "some ");
        arrived.notify_one();
        let end = body.collect().await.map(|end| end.to_bytes());
        match (path, end) {
            ("/broken", Err(error)) => {
                assert!(format!("{error:?}").contains("INTERNAL_ERROR"), "{error:?}");
            }
            ("/whole", Ok(end)) => assert_eq!(end, "end", "the connection goes on"),
            (_, end) => unreachable!("{path} ended with {end:?}"),
        }
    }
}

#[tokio::test]
async fn cutting_ends_a_download_with_an_error() {
    let server = Server::answering(|_| async {
        let endless =
            futures::stream::repeat_with(|| Ok(Frame::data(Bytes::from_static(&[0; 1024]))));
        Response::new(Body::new(StreamBody::new(endless.then(|frame| async {
            sleep(Duration::from_millis(1)).await;
            frame
        }))))
    });
    let mut client = Client::of(&server).await;
    let mut body = client.ask("/").await.unwrap().into_body();
    assert!(body.frame().await.unwrap().is_ok());
    server.drain.cancel();
    server.cut.cancel();
    let mut last = body.frame().await;
    while let Some(Ok(_)) = last {
        last = body.frame().await;
    }
    assert!(last.is_some_and(|frame| frame.is_err()), "a clean end");
    server.tasks.close();
    server.tasks.wait().await;
}

#[tokio::test(start_paused = true)]
async fn draining_lets_requests_in_flight_finish_and_then_closes() {
    let (asked, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, wait) = (Arc::clone(&asked), Arc::clone(&answer));
    let server = Server::answering(move |_| {
        let (told, wait) = (Arc::clone(&told), Arc::clone(&wait));
        async move {
            told.notify_one();
            wait.notified().await;
            Response::new(full("done"))
        }
    });
    let mut client = Client::of(&server).await;
    let mut pending = JoinSet::new();
    pending.spawn(client.ask("/"));
    asked.notified().await;
    server.drain.cancel();
    sleep(Duration::from_secs(20)).await;
    answer.notify_one();
    assert_eq!(text(pending.join_next().await.unwrap().unwrap()).await, "done");
    client.end().await;
    server.tasks.close();
    server.tasks.wait().await;
    assert!(client.ask("/").await.is_err(), "nothing new is taken");
}

#[tokio::test(start_paused = true)]
async fn draining_closes_an_idle_connection_at_once() {
    let server = Server::new();
    let mut client = Client::of(&server).await;
    assert_eq!(text(client.ask("/").await).await, "done");
    let start = Instant::now();
    server.drain.cancel();
    client.end().await;
    assert_eq!(start.elapsed().as_secs(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_and_one_that_never_asks_is_cut() {
    let server = Server::new();
    let start = Instant::now();
    let mut silent = Client::of(&server).await;
    silent.end().await;
    assert_eq!(start.elapsed().as_secs(), 10);

    let start = Instant::now();
    let mut client = Client::of(&server).await;
    assert_eq!(text(client.ask("/").await).await, "done");
    sleep(Duration::from_secs(9)).await;
    assert_eq!(text(client.ask("/").await).await, "done");
    client.end().await;
    assert_eq!(start.elapsed().as_secs(), 19);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_of_an_answer_is_cut() {
    const PIECE: &str = "more than there is room for";
    // A body in one piece is in hyper's hands at once: then nothing is asked any more (10 s), and the goodbye is not answered.
    for (count, seconds) in [(100, 60), (1, 70)] {
        let server = Server::answering(move |_| async move {
            Response::new(pieces(futures::stream::iter((0..count).map(|_| Ok(PIECE)))))
        });
        let mut narrow = Builder::new(TokioExecutor::new());
        narrow.initial_stream_window_size(9).initial_connection_window_size(9);
        let mut client = Client::with(&server, &narrow).await;
        let answer = client.ask("/").await.unwrap();
        let start = Instant::now();
        client.end().await;
        assert_eq!(start.elapsed().as_secs(), seconds);
        assert!(answer.into_body().collect().await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_an_answer_slowly_gets_all_of_it() {
    let server = Server::answering(|_| async { Response::new(full(vec![b'x'; 5000])) });
    let mut narrow = Builder::new(TokioExecutor::new());
    narrow.initial_stream_window_size(1000).initial_connection_window_size(1000);
    let mut client = Client::with(&server, &narrow).await;
    let mut body = client.ask("/").await.unwrap().into_body();
    let (start, mut length) = (Instant::now(), 0);
    while let Some(frame) = body.frame().await {
        length += frame.unwrap().into_data().unwrap().len();
        sleep(Duration::from_secs(50)).await;
    }
    assert_eq!(length, 5000);
    assert!(start.elapsed().as_secs() > 100, "{:?}", start.elapsed());
}

#[tokio::test]
async fn headers_beyond_the_limit_are_refused() {
    let server = Server::new();
    let mut client = Client::of(&server).await;
    let request = Request::get("https://localhost/").header("x", "y".repeat(17 << 10));
    let answer = client.requests.send_request(request.body(Empty::new()).unwrap()).await;
    assert_eq!(answer.unwrap().status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
}
