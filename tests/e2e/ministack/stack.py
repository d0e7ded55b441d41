"""The deployment in MiniStack: the whole template, deployed by its CloudFormation, with the real binaries as zips.

What is deployed is the transformed template that tests/template checks, with what the emulator can't do or a test does itself
changed in a copy: the architecture, where the code lies, ANY (its import knows single methods only), references to secrets in
policies (it takes the name for the ARN), the schedule (a test calls the keeper), and the alarms (it knows no metric math).
"""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from pathlib import Path

import boto3
from botocore.config import Config

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/template"))

import template as sam  # noqa: E402

REGION = "eu-central-1"
NAME = "mooring"
BUCKET = "code"
METHODS = ["get", "head", "post", "put", "patch", "delete", "options"]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class MiniStack:
    """The emulator, on a free port of this machine."""

    def __init__(self, log):
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.data = tempfile.TemporaryDirectory(prefix="ministack-")
        environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "IOT_MTLS_ENABLED": "0",
            "AUTH": "true",
            "HOME": self.data.name,
        }
        # without it every address of the machine is listened on
        program = Path(sys.executable).parent / "ministack"
        self.process = subprocess.Popen(
            [program], env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True, cwd=self.data.name
        )

    def __enter__(self):
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"{self.endpoint}/_localstack/health", timeout=1).read()
                return self
            except OSError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("MiniStack does not start; see its log") from error
                time.sleep(0.1)

    def __exit__(self, *_):
        # its functions run in processes of its group
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.data.cleanup()

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 1}, read_timeout=120),
        )


# Lambda gives a function the credentials of its role; MiniStack gives it those of the account's root. This does what Lambda does.
BOOTSTRAP = b"""#!/bin/sh
export AWS_ACCESS_KEY_ID=$ROLE_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY=$ROLE_SECRET_ACCESS_KEY AWS_SESSION_TOKEN=$ROLE_SESSION_TOKEN
exec "$LAMBDA_TASK_ROOT/function"
"""


def zipped(binary):
    """A zip that Lambda runs."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in [("bootstrap", BOOTSTRAP), ("function", Path(binary).read_bytes())]:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, content)
    return packed.getvalue()


def as_arns(resource):
    """A reference to a secret is its ARN; here it is the name, and only the attribute is the ARN."""
    if isinstance(resource, list):
        return [as_arns(one) for one in resource]
    return {"Fn::GetAtt": [resource["Ref"], "Id"]} if "Ref" in resource else resource


class Deployment:
    """Mooring in MiniStack. Its functions hold the credentials of their roles, and MiniStack enforces the roles' policies."""

    def __init__(self, stack: MiniStack, binaries: Path, public_url=None):
        self.stack = stack
        self.cloudformation = stack.client("cloudformation")
        s3 = stack.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        template = sam.transformed()
        self.variables = {
            "AWS_ENDPOINT_URL": stack.endpoint,
            "MOORING_EGRESS": "allow-loopback",  # the providers of a test are on this machine
            **({"PUBLIC_URL": public_url} if public_url else {}),
        }
        for binary, name in sam.functions(template).items():
            s3.put_object(Bucket=BUCKET, Key=binary, Body=zipped(binaries / binary))
            function = template["Resources"][name]["Properties"]
            function["Code"] = {"S3Bucket": BUCKET, "S3Key": binary}
            function["Architectures"] = ["x86_64"]
        for methods in sam.body(template)["paths"].values():
            operation = methods.pop("x-amazon-apigateway-any-method")
            methods.update({method: operation for method in METHODS})
        for role in sam.resources(template, "AWS::IAM::Role").values():
            for policy in role["Properties"].get("Policies", []):
                for statement in policy["PolicyDocument"]["Statement"]:
                    statement["Resource"] = as_arns(statement["Resource"])
        for name in [n for n, r in template["Resources"].items() if r["Type"] in ("AWS::CloudWatch::Alarm", "AWS::Events::Rule")]:
            del template["Resources"][name]
        del template["Resources"]["KeeperFunctionEveryMinutePermission"]
        s3.put_object(Bucket=BUCKET, Key="template.json", Body=json.dumps(template).encode())
        self.cloudformation.create_stack(
            StackName=NAME,
            TemplateURL=f"{stack.endpoint}/{BUCKET}/template.json",
            Parameters=[{"ParameterKey": "EnableFunctionUrl", "ParameterValue": "true"}],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        self.wait()
        (described,) = self.cloudformation.describe_stacks(StackName=NAME)["Stacks"]
        self.outputs = {o["OutputKey"]: o["OutputValue"] for o in described["Outputs"]}
        listed = self.cloudformation.describe_stack_resources(StackName=NAME)["StackResources"]
        self.resources = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in listed}
        self.hand_out_roles()

    def hand_out_roles(self):
        iam, sts, functions = (self.stack.client(name) for name in ("iam", "sts", "lambda"))
        for name in [name for name in self.resources if name.endswith("Function")]:
            role = self.resources[f"{name}Role"]
            trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}
            iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
            arn = iam.get_role(RoleName=role)["Role"]["Arn"]
            credentials = sts.assume_role(RoleArn=arn, RoleSessionName=name)["Credentials"]
            configured = functions.get_function_configuration(FunctionName=self.resources[name])
            variables = {
                **configured["Environment"]["Variables"],
                **self.variables,
                "ROLE_ACCESS_KEY_ID": credentials["AccessKeyId"],
                "ROLE_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
                "ROLE_SESSION_TOKEN": credentials["SessionToken"],
            }
            functions.update_function_configuration(FunctionName=self.resources[name], Environment={"Variables": variables})

    def wait(self):
        deadline = time.monotonic() + 60
        while True:
            (stack,) = self.cloudformation.describe_stacks(StackName=NAME)["Stacks"]
            if stack["StackStatus"] == "CREATE_COMPLETE":
                return
            if not stack["StackStatus"].endswith("IN_PROGRESS") or time.monotonic() > deadline:
                events = self.cloudformation.describe_stack_events(StackName=NAME)["StackEvents"]
                failed = [(e["LogicalResourceId"], e.get("ResourceStatusReason")) for e in events if "FAILED" in e["ResourceStatus"]]
                raise RuntimeError(f"{stack['StackStatus']}: {failed}")
            time.sleep(0.2)

    @property
    def api(self):
        """The gateway's address on this machine."""
        return f"{self.stack.endpoint}/restapis/{self.resources['Api']}/prod/_user_request_"

    @property
    def function_url(self):
        """The function URL's address on this machine."""
        return f"{self.stack.endpoint}/_aws/lambda-url/{self.outputs['PassthroughUrl'].split('//')[1].split('.')[0]}"

    def root_key(self):
        """What the output ReadRootKey tells a person to read."""
        secrets = self.stack.client("secretsmanager")
        return secrets.get_secret_value(SecretId=self.outputs["RootKeySecret"])["SecretString"]

    def keep(self):
        """One round of the keeper."""
        answer = self.stack.client("lambda").invoke(FunctionName=self.resources["KeeperFunction"], Payload=b"{}")
        assert "FunctionError" not in answer, answer["Payload"].read()

    def logs(self):
        """What the functions wrote, warnings and worse."""
        logs, lines = self.stack.client("logs"), []
        for group in logs.describe_log_groups()["logGroups"]:
            name = group["logGroupName"]
            for stream in logs.describe_log_streams(logGroupName=name)["logStreams"]:
                events = logs.get_log_events(logGroupName=name, logStreamName=stream["logStreamName"])["events"]
                lines += [f"{name} {e['message']}" for e in events if '"ERROR"' in e["message"] or '"WARN"' in e["message"]]
        return "\n".join(lines)
