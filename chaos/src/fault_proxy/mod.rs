//! A proxy between programs and the AWS stand-in that makes calls fail, and a recorder of those that
//! don't.
//!
//! It knows the service and the operation of every call, and a plan says what happens to it: let
//! pass, refused in the service's own words, kept without an answer, carried out with the answer
//! lost or changed, slow, or held until somebody lets go.
//!
//! Invariant: a call that passes arrives as it was sent, the Host header included, which signatures
//! cover. The recorder counts what the table has committed, not what somebody says it has.

mod call;
mod call_recorder;
mod refusal;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) use call::{AwsService, Call};
pub(crate) use call_recorder::CallRecorder;
pub(crate) use refusal::Refusal;

/// How long a call that hangs is kept. Longer than any time-out of the programs.
const HANG: Duration = Duration::from_secs(60);

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultAction {
    Pass,
    Refuse(Refusal),
    /// Neither carried out nor answered.
    Hang,
    /// Carried out, and the connection closed before the answer.
    LoseAnswer,
    /// Waits until [`FaultProxy::release`], and is carried out then.
    Hold,
    /// Carried out, and one byte of what comes back is another one.
    FlipByte,
    /// Not carried out, and answered with an empty object after this time: a slow store that never
    /// tires.
    Slow(Duration),
}

type Plan = Arc<dyn Fn(&Call) -> FaultAction + Send + Sync>;

struct Shared {
    target: SocketAddr,
    plan: Mutex<Plan>,
    recorder: CallRecorder,
    /// Counts up whenever held calls are let go.
    released: watch::Sender<u64>,
}

pub(crate) struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl FaultProxy {
    /// A proxy to `target`, a base URL such as `http://127.0.0.1:4566`, that lets everything pass.
    pub(crate) async fn to(target: &str) -> Self {
        let target = target
            .strip_prefix("http://")
            .and_then(|address| address.parse().ok())
            .expect("an address of this machine");
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("there is a free port");
        let address = listener.local_addr().expect("it has an address");
        let shared = Arc::new(Shared {
            target,
            plan: Mutex::new(Arc::new(|_: &Call| FaultAction::Pass)),
            recorder: CallRecorder::default(),
            released: watch::channel(0).0,
        });
        let server = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self {
            address,
            shared,
            server,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes what becomes of calls from now on.
    pub(crate) fn set_plan(&self, plan: impl Fn(&Call) -> FaultAction + Send + Sync + 'static) {
        *self.shared.plan.lock().expect("plans don't panic") = Arc::new(plan);
    }

    pub(crate) fn let_all_pass(&self) {
        self.set_plan(|_| FaultAction::Pass);
    }

    /// Lets go of the calls that are held now.
    pub(crate) fn release(&self) {
        self.shared.released.send_modify(|count| *count += 1);
    }

    pub(crate) fn recorder(&self) -> &CallRecorder {
        &self.shared.recorder
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // Out of descriptors: some will come back.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let _ = client.set_nodelay(true);
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let upstream = Arc::new(tokio::sync::Mutex::new(None));
            let service = service_fn(move |request| {
                let (shared, upstream) = (Arc::clone(&shared), Arc::clone(&upstream));
                serve(shared, upstream, request)
            });
            // An error here is how an answer is lost on purpose, or a client that went away.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(client), service)
                .await;
        });
    }
}

/// Why no answer is given. It makes hyper close the connection.
#[derive(Debug)]
struct NoAnswer;

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the answer is lost")
    }
}

impl std::error::Error for NoAnswer {}

type Upstream = Arc<tokio::sync::Mutex<Option<SendRequest<Full<Bytes>>>>>;

async fn serve(
    shared: Arc<Shared>,
    upstream: Upstream,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, NoAnswer> {
    let (head, body) = request.into_parts();
    // Whole: 20 MiB at most, and a call that is repeated has to be sent from its beginning anyway.
    let body = body.collect().await.map_err(|_| NoAnswer)?.to_bytes();
    let call = Call::read(&head, &body);
    let plan = Arc::clone(&shared.plan.lock().expect("plans don't panic"));
    let action = plan(&call);
    shared.recorder.saw(&call, action);
    match action {
        FaultAction::Refuse(refusal) => return Ok(refusal.answer(&call)),
        FaultAction::Hang => {
            tokio::time::sleep(HANG).await;
            return Err(NoAnswer);
        }
        FaultAction::Slow(time) => {
            tokio::time::sleep(time).await;
            let answer = Response::builder().header("content-type", "application/x-amz-json-1.0");
            return Ok(answer.body(Full::new("{}".into())).expect("it is plain"));
        }
        FaultAction::Hold => {
            let _held = shared.recorder.holding(&call);
            released(&shared).await;
        }
        FaultAction::FlipByte | FaultAction::Pass | FaultAction::LoseAnswer => {}
    }
    let is_record = call.service == AwsService::DynamoDb;
    let carrying_out = carry_out(Arc::clone(&shared), upstream, call, head, body);
    // Of records the recorder has to hear the answer also where nobody waits for it any more. A long
    // poll, on the other hand, has to end with the one who polls.
    let answer = match is_record {
        true => tokio::spawn(carrying_out).await.map_err(|_| NoAnswer)??,
        false => carrying_out.await?,
    };
    match action {
        FaultAction::LoseAnswer => Err(NoAnswer),
        FaultAction::FlipByte => Ok(answer.map(|body| {
            let mut bytes = body.to_vec();
            if let Some(first) = bytes.first_mut() {
                *first ^= 1;
            }
            Full::new(bytes.into())
        })),
        _ => Ok(answer.map(Full::new)),
    }
}

async fn carry_out(
    shared: Arc<Shared>,
    upstream: Upstream,
    call: Call,
    head: hyper::http::request::Parts,
    body: Bytes,
) -> Result<Response<Bytes>, NoAnswer> {
    let answer = forward(&shared, &upstream, head, body).await?;
    shared
        .recorder
        .answered(&call, answer.status(), answer.body());
    Ok(answer)
}

async fn released(shared: &Shared) {
    let mut released = shared.released.subscribe();
    let _ = released.changed().await;
}

/// One connection to the target for each of a client's, so that a kill closes both.
async fn forward(
    shared: &Shared,
    upstream: &Upstream,
    head: hyper::http::request::Parts,
    body: Bytes,
) -> Result<Response<Bytes>, NoAnswer> {
    let mut upstream = upstream.lock().await;
    let ready = match upstream.as_mut() {
        Some(sender) => sender.ready().await.is_ok(),
        None => false,
    };
    if !ready {
        let stream = TcpStream::connect(shared.target)
            .await
            .map_err(|_| NoAnswer)?;
        let _ = stream.set_nodelay(true);
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|_| NoAnswer)?;
        tokio::spawn(connection);
        *upstream = Some(sender);
    }
    let sender = upstream.as_mut().ok_or(NoAnswer)?;
    let request = Request::from_parts(head, Full::new(body));
    let answer = sender.send_request(request).await.map_err(|_| NoAnswer)?;
    let (head, body) = answer.into_parts();
    let body = body.collect().await.map_err(|_| NoAnswer)?.to_bytes();
    Ok(Response::from_parts(head, body))
}
