"""The deployment in MiniStack: the whole template, deployed by its CloudFormation, with the real binaries as zips.

Only what the emulator can't do, or a test does itself, is changed in a copy of the template: the architecture, where the code
lies, the schedule (a test calls the keeper), and the alarms (it knows no metric math).
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
BUCKET = "code"


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
            "MINISTACK_DATA_DIR": self.data.name,
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


def zipped(binary):
    """A zip as `cargo lambda build --output-format zip` makes it."""
    entry = zipfile.ZipInfo("bootstrap")
    entry.external_attr = 0o755 << 16
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(entry, Path(binary).read_bytes())
    return packed.getvalue()


class Deployment:
    """Mooring in MiniStack."""

    def __init__(self, stack: MiniStack, binaries: Path, functions=None, egress=True, parameters=None):
        self.stack = stack
        self.name = "mooring"
        s3, cloudformation = stack.client("s3"), stack.client("cloudformation")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        template = sam.source()
        template["Globals"]["Function"]["Architectures"] = ["x86_64"]
        variables = template["Globals"]["Function"]["Environment"]["Variables"]
        variables["AWS_ENDPOINT_URL"] = stack.endpoint
        if egress:
            variables["MOORING_EGRESS"] = "allow-loopback"  # the providers of a test are on this machine
        for name, resource in list(template["Resources"].items()):
            if resource["Type"] == "AWS::CloudWatch::Alarm":
                del template["Resources"][name]
            if resource["Type"] != "AWS::Serverless::Function":
                continue
            binary = resource["Metadata"]["BuildProperties"]["Binary"]
            code = zipped(binaries / binary) if functions is None or binary in functions else zipped("/bin/false")
            s3.put_object(Bucket=BUCKET, Key=binary, Body=code)
            resource["Properties"]["CodeUri"] = {"Bucket": BUCKET, "Key": binary}
            if binary == "keeper":
                resource["Properties"].pop("Events")
        given = {"EnableFunctionUrl": "true", **(parameters or {})}
        cloudformation.create_stack(
            StackName=self.name,
            TemplateBody=json.dumps(template, default=str),
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        self.cloudformation = cloudformation
        self.wait()
        described = cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]
        self.outputs = {o["OutputKey"]: o["OutputValue"] for o in described["Outputs"]}
        self.resources = {
            r["LogicalResourceId"]: r["PhysicalResourceId"]
            for r in cloudformation.describe_stack_resources(StackName=self.name)["StackResources"]
        }

    def wait(self):
        deadline = time.monotonic() + 60
        while True:
            stack = self.cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]
            if stack["StackStatus"] == "CREATE_COMPLETE":
                return
            if not stack["StackStatus"].endswith("IN_PROGRESS") or time.monotonic() > deadline:
                events = self.cloudformation.describe_stack_events(StackName=self.name)["StackEvents"]
                failed = [(e["LogicalResourceId"], e.get("ResourceStatusReason")) for e in events if "FAILED" in e["ResourceStatus"]]
                raise RuntimeError(f"{stack['StackStatus']}: {failed}")
            time.sleep(0.2)

    @property
    def api(self):
        """The gateway's address on this machine."""
        return f"{self.stack.endpoint}/restapis/{self.resources['Api']}/prod/_user_request_"

    def root_key(self):
        return self.stack.client("secretsmanager").get_secret_value(SecretId=self.outputs["RootKeySecret"])["SecretString"]
