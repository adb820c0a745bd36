//! Records in DynamoDB.
