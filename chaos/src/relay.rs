//! The bucket's notifications, taken on the way to the workers' queue: some are lost there, others
//! come again and again, and all of them in another order.
//!
//! Invariant: the workers' queue is the stack's own, with its policy and its dead-letter queue. It
//! is the bucket that is pointed at a queue before it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_s3::types::{Event, NotificationConfiguration, QueueConfiguration};
use aws_sdk_sqs::types::QueueAttributeName;
use tokio::task::JoinHandle;

use crate::aws::Aws;

/// What becomes of notifications on the way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RelayOptions {
    /// The share that is lost.
    pub dropped: f64,
    /// How often each of the others is sent.
    pub copies: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub taken: AtomicUsize,
    pub dropped: AtomicUsize,
    pub sent: AtomicUsize,
}

pub(crate) struct Relay {
    pub counts: Arc<Counts>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Steps between the bucket and the queue.
    pub(crate) async fn start(aws: &Arc<Aws>, options: RelayOptions, seed: u64) -> Self {
        let queue_url = before_the_queue(aws).await;
        let counts = Arc::new(Counts::default());
        let task = tokio::spawn({
            let (aws, counts) = (Arc::clone(aws), Arc::clone(&counts));
            async move {
                let mut random = fastrand::Rng::with_seed(seed);
                loop {
                    pass_on(&aws, &queue_url, options, &mut random, &counts).await;
                }
            }
        });
        Self { counts, task }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass_on(
    aws: &Aws,
    from: &str,
    options: RelayOptions,
    random: &mut fastrand::Rng,
    counts: &Counts,
) {
    let mut bodies = Vec::new();
    for message in aws.take(from).await {
        counts.taken.fetch_add(1, Ordering::Relaxed);
        if random.f64() < options.dropped {
            counts.dropped.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let body = message.body.unwrap_or_default();
        bodies.extend(std::iter::repeat_n(body, options.copies));
    }
    random.shuffle(&mut bodies);
    counts.sent.fetch_add(bodies.len(), Ordering::Relaxed);
    aws.send(aws.queue_url(), &bodies).await;
}

/// A queue that the bucket's notifications go to instead.
async fn before_the_queue(aws: &Aws) -> String {
    let bucket = aws.bucket();
    let arn = format!("arn:aws:s3:::{bucket}");
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"s3.amazonaws.com"}},"Action":"sqs:SendMessage","Resource":"*","Condition":{{"ArnEquals":{{"aws:SourceArn":"{arn}"}}}}}}]}}"#
    );
    let name = format!("{bucket}-relay");
    let create = aws.sqs.create_queue().queue_name(name);
    let created = create.attributes(QueueAttributeName::Policy, policy).send();
    let queue_url = created.await.expect("an operator can make a queue");
    let queue_url = queue_url.queue_url.expect("it has a URL");
    let attributes = aws.sqs.get_queue_attributes().queue_url(&queue_url);
    let attributes = attributes
        .attribute_names(QueueAttributeName::QueueArn)
        .send()
        .await;
    let attributes = attributes.expect("an operator can look at it").attributes;
    let arn = attributes.and_then(|mut all| all.remove(&QueueAttributeName::QueueArn));
    let queue = QueueConfiguration::builder()
        .queue_arn(arn.expect("a queue has an ARN"))
        .events(Event::from("s3:ObjectCreated:*"))
        .build()
        .expect("both fields are set");
    let notifications = NotificationConfiguration::builder()
        .queue_configurations(queue)
        .build();
    aws.s3
        .put_bucket_notification_configuration()
        .bucket(bucket)
        .notification_configuration(notifications)
        .send()
        .await
        .expect("an operator can point the bucket elsewhere");
    queue_url
}
