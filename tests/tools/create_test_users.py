"""Makes one IAM user for each policy of a deployed stack, and prints what a test needs to know.

    create_test_users.py STACK_NAME

A user has exactly one of the stack's policies and nothing else, so that a permission missing
from the template fails a test. The emulator's root user would pass every check. One action is added
that AWS doesn't know: it asks for sqs:DeleteMessage where the emulator asks for sqs:DeleteMessageBatch.

Prints one JSON object: "outputs" (the stack's outputs by name), and "api", "worker", "operator", "execution" and, where
there are webhooks, "workerExecution", each with "accessKeyId" and "secretAccessKey". The emulator is the one in AWS_ENDPOINT_URL; without it the
script stops, so that it can't make users in an AWS account.

One process for all the calls, because starting the AWS command line costs more than the calls do.
"""

import json
import os
import sys

import botocore.session

EMULATOR_ONLY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sqs:DeleteMessageBatch", "Resource": "*"}],
}

POLICY_OUTPUTS = {
    "api": "ApiPolicyArn",
    "worker": "WorkerPolicyArn",
    "operator": "OperatorPolicyArn",
    "execution": "ExecutionPolicyArn",
    "workerExecution": "WorkerExecutionPolicyArn",
}


def create_user(iam, user_name, policy_arn):
    iam.create_user(UserName=user_name)
    iam.attach_user_policy(UserName=user_name, PolicyArn=policy_arn)
    key = iam.create_access_key(UserName=user_name)["AccessKey"]
    return {"accessKeyId": key["AccessKeyId"], "secretAccessKey": key["SecretAccessKey"]}


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: create_test_users.py STACK_NAME")
    if not os.environ.get("AWS_ENDPOINT_URL"):
        sys.exit("set AWS_ENDPOINT_URL to the emulator's address")
    stack_name = sys.argv[1]

    session = botocore.session.get_session()
    cloudformation = session.create_client("cloudformation")
    stack = cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    iam = session.create_client("iam")
    answer = {"outputs": outputs}
    for program, policy_output in POLICY_OUTPUTS.items():
        if program == "workerExecution" and policy_output not in outputs:
            continue
        answer[program] = create_user(iam, f"{stack_name}-{program}", outputs[policy_output])
    for program in ("worker", "operator"):
        iam.put_user_policy(
            UserName=f"{stack_name}-{program}",
            PolicyName="emulator-only",
            PolicyDocument=json.dumps(EMULATOR_ONLY),
        )
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
