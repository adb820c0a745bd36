#!/bin/sh
# Deploys deploy/stack.yaml into an emulator of AWS. Running it again changes nothing.
#
# The same script serves three places: LocalStack and MiniStack run it by themselves when they are
# ready, `make init` runs it in the running container, and the tests run it on the host. It is plain
# sh because MiniStack hands it to `sh` on an image without Debian's tools, whatever the first line
# says.
#
# It refuses to run without an emulator: on AWS, where the parameters need thought, the template is
# deployed by hand with `aws cloudformation deploy`.
#
# Settings, all by environment variable. Left out, a parameter of the stack has the template's default.
#   AWS_ENDPOINT_URL             the emulator; not needed where awslocal knows it
#   STACK_NAME                   file-share
#   STACK_TEMPLATE               ../../deploy/stack.yaml, seen from this script
#   STACK_READY_FILE             a file that exists only while the stack is known to be deployed
#   BUCKET_NAME  TABLE_NAME  QUEUE_NAME  BUCKET_ALLOWED_ORIGINS
#   VISIBILITY_TIMEOUT_SECONDS  MAX_RECEIVE_COUNT
#   SIGN_IN  PUBLIC_URL          cognito needs an emulator that has it
#   WEBHOOKS                     on or off
#   ENCRYPTION                   aws or own-key
#   COLD_STORAGE  COLD_STORAGE_DAYS
#   OBJECT_LOCK_ENABLED          true or false
#   GUARDDUTY_ROLE_ARN
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
stack_name=${STACK_NAME:-file-share}
# In the containers deploy/ is mounted so that this relative path is right there too.
template=${STACK_TEMPLATE:-$here/../../deploy/stack.yaml}

# Emulators accept these and nothing else; on AWS they open nothing.
export AWS_ACCESS_KEY_ID="${AWS_ACCESS_KEY_ID:-test}"
export AWS_SECRET_ACCESS_KEY="${AWS_SECRET_ACCESS_KEY:-test}"
export AWS_DEFAULT_REGION="${AWS_DEFAULT_REGION:-${AWS_REGION:-us-east-1}}"
# A pager would wait for a key that nobody presses.
export AWS_PAGER=''

fail() {
    echo "deploy-stack: $*" >&2
    exit 1
}

if [ -n "${AWS_ENDPOINT_URL:-}" ] && command -v aws >/dev/null; then
    aws=aws
elif command -v awslocal >/dev/null; then
    aws=awslocal
elif [ -n "${AWS_ENDPOINT_URL:-}" ]; then
    fail "neither aws nor awslocal is on the PATH"
else
    fail "this deploys into an emulator only: set AWS_ENDPOINT_URL to its address"
fi
[ -r "$template" ] || fail "no template at $template"

# Whoever waits for the file must not be misled by the one of an earlier run.
if [ -n "${STACK_READY_FILE:-}" ]; then
    rm -f -- "$STACK_READY_FILE"
fi

# Emulators speak plain HTTP, and don't know the condition key behind EnforceWriteOnce. What is in them is to go with
# them.
set -- RequireTls=false EnforceWriteOnce=false DeletionProtection=false
[ -z "${BUCKET_NAME:-}" ] || set -- "$@" "BucketName=$BUCKET_NAME"
[ -z "${TABLE_NAME:-}" ] || set -- "$@" "TableName=$TABLE_NAME"
[ -z "${QUEUE_NAME:-}" ] || set -- "$@" "QueueName=$QUEUE_NAME"
[ -z "${BUCKET_ALLOWED_ORIGINS:-}" ] || set -- "$@" "AllowedOrigins=$BUCKET_ALLOWED_ORIGINS"
[ -z "${VISIBILITY_TIMEOUT_SECONDS:-}" ] || set -- "$@" "VisibilityTimeoutSeconds=$VISIBILITY_TIMEOUT_SECONDS"
[ -z "${MAX_RECEIVE_COUNT:-}" ] || set -- "$@" "MaxReceiveCount=$MAX_RECEIVE_COUNT"
[ -z "${SIGN_IN:-}" ] || set -- "$@" "SignIn=$SIGN_IN"
[ -z "${WEBHOOKS:-}" ] || set -- "$@" "Webhooks=$WEBHOOKS"
[ -z "${ENCRYPTION:-}" ] || set -- "$@" "Encryption=$ENCRYPTION"
[ -z "${COLD_STORAGE:-}" ] || set -- "$@" "ColdStorage=$COLD_STORAGE"
[ -z "${COLD_STORAGE_DAYS:-}" ] || set -- "$@" "ColdStorageDays=$COLD_STORAGE_DAYS"
[ -z "${OBJECT_LOCK_ENABLED:-}" ] || set -- "$@" "ObjectLock=$OBJECT_LOCK_ENABLED"
[ -z "${GUARDDUTY_ROLE_ARN:-}" ] || set -- "$@" "GuardDutyRoleArn=$GUARDDUTY_ROLE_ARN"
[ -z "${PUBLIC_URL:-}" ] || set -- "$@" "PublicUrl=$PUBLIC_URL"

# A second run finds no changes, which is what an idempotent script wants and not a failure.
if ! "$aws" cloudformation deploy \
    --stack-name "$stack_name" \
    --template-file "$template" \
    --capabilities CAPABILITY_IAM \
    --no-fail-on-empty-changeset \
    --parameter-overrides "$@"; then
    # The command itself says only that it failed. The reason is in the events.
    "$aws" cloudformation describe-stack-events --stack-name "$stack_name" --output text \
        --query "StackEvents[?ends_with(ResourceStatus, '_FAILED')].[LogicalResourceId, ResourceStatusReason]" \
        >&2 || true
    fail "stack $stack_name was not deployed"
fi

if [ -n "${STACK_READY_FILE:-}" ]; then
    : >"$STACK_READY_FILE"
fi
echo "deploy-stack: stack $stack_name is deployed"
