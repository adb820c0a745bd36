//! The integration tests: everything that needs more than this process.

mod dynamodb_store;
mod infrastructure;
mod local_endpoint;
mod s3_store;

#[path = "../support"]
mod support {
    pub mod aws_clients;
    pub mod local_store;
    pub mod ministack;
}
