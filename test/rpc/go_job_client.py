"""A client of go-job's contract that shares nothing with this project: Debian's grpcio, and descriptors written from the
table of methods alone. Calls every method of a daemon and checks the answers; prints one line a check.

    /usr/bin/python3 go_job_client.py HOST:PORT ADD_KIND SLOW_KIND

ADD_KIND is a job of two numbers that answers their sum, SLOW_KIND one that runs until it is cancelled.
"""

import sys
import time

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2

Field = descriptor_pb2.FieldDescriptorProto
TIMESTAMP = ".google.protobuf.Timestamp"

STATES = {
    "JOB_STATE_UNSET": 0,
    "JOB_STATE_CREATED": 1,
    "JOB_STATE_SCHEDULED": 2,
    "JOB_STATE_PROCESSING": 4,
    "JOB_STATE_CANCELLED": 8,
    "JOB_STATE_TIMED_OUT": 16,
    "JOB_STATE_COMPLETED": 32,
    "JOB_STATE_TERMINATED": 64,
}

# name: [(field, number, type, label)]; "?" is optional with presence, "*" repeated.
MESSAGES = {
    "VersionRequest": [],
    "VersionResponse": [("version", 1, "string", ""), ("api_version", 2, "string", "")],
    "Job": [
        ("kind", 1, "string", ""),
        ("description", 2, "string", ""),
        ("registered_at", 3, TIMESTAMP, ""),
        ("cron_spec", 11, "string", "?"),
        ("schedule_at", 12, TIMESTAMP, "?"),
    ],
    "JobInstance": [
        ("kind", 1, "string", ""),
        ("uuid", 2, "string", ""),
        ("state", 11, "enum", ""),
        ("arguments", 12, "string", "*"),
        ("results", 13, "string", "*"),
        ("error", 14, "string", "?"),
        ("created_at", 21, TIMESTAMP, "?"),
        ("scheduled_at", 22, TIMESTAMP, "?"),
        ("processed_at", 23, TIMESTAMP, "?"),
        ("completed_at", 24, TIMESTAMP, "?"),
        ("terminated_at", 25, TIMESTAMP, "?"),
        ("canceled_at", 26, TIMESTAMP, "?"),
        ("timed_out_at", 27, TIMESTAMP, "?"),
        ("attempts", 31, "int32", "?"),
    ],
    "Query": [("kind", 1, "string", "?"), ("uuid", 2, "string", "?"), ("state", 3, "enum", "?")],
    "ScheduleJobRequest": [
        ("kind", 1, "string", ""),
        ("arguments", 11, "string", "*"),
        ("priority", 12, "int32", "?"),
    ],
    "ScheduleJobResponse": [("instance", 1, ".job.v1.JobInstance", "")],
    "ListRegisteredJobsRequest": [],
    "ListRegisteredJobsResponse": [("jobs", 1, ".job.v1.Job", "*")],
    "LookupInstancesRequest": [("query", 1, ".job.v1.Query", "")],
    "LookupInstancesResponse": [("instances", 1, ".job.v1.JobInstance", "*")],
    "CancelInstancesRequest": [("query", 1, ".job.v1.Query", "")],
    "CancelInstancesResponse": [("instances", 1, ".job.v1.JobInstance", "*")],
}

METHODS = {
    "GetVersion": ("VersionRequest", "VersionResponse"),
    "ScheduleJob": ("ScheduleJobRequest", "ScheduleJobResponse"),
    "ListRegisteredJobs": ("ListRegisteredJobsRequest", "ListRegisteredJobsResponse"),
    "LookupInstances": ("LookupInstancesRequest", "LookupInstancesResponse"),
    "CancelInstances": ("CancelInstancesRequest", "CancelInstancesResponse"),
}


def add_field(message, name, number, kind, label):
    field = message.field.add(name=name, number=number)
    field.label = Field.LABEL_REPEATED if label == "*" else Field.LABEL_OPTIONAL
    if kind == "string":
        field.type = Field.TYPE_STRING
    elif kind == "int32":
        field.type = Field.TYPE_INT32
    elif kind == "enum":
        field.type, field.type_name = Field.TYPE_ENUM, ".job.v1.JobState"
    else:
        field.type, field.type_name = Field.TYPE_MESSAGE, kind
    if label == "?":
        field.oneof_index = len(message.oneof_decl)
        field.proto3_optional = True
        message.oneof_decl.add(name="_" + name)


def build_classes():
    file = descriptor_pb2.FileDescriptorProto(name="go_job.proto", package="job.v1", syntax="proto3")
    file.dependency.append("google/protobuf/timestamp.proto")
    states = file.enum_type.add(name="JobState")
    for name, number in STATES.items():
        states.value.add(name=name, number=number)
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field in fields:
            add_field(message, *field)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    make = getattr(message_factory, "GetMessageClass", None)
    if make is None:
        make = message_factory.MessageFactory(pool).GetPrototype
    return {name: make(pool.FindMessageTypeByName("job.v1." + name)) for name in MESSAGES}


def check(what, condition, found=""):
    if not condition:
        print("not ok", what, found)
        sys.exit(1)
    print("ok", what)


class Client:
    def __init__(self, target):
        self.types = build_classes()
        self.channel = grpc.insecure_channel(target)
        self.calls = {
            name: self.channel.unary_unary(
                "/job.v1.JobService/" + name,
                request_serializer=self.types[request].SerializeToString,
                response_deserializer=self.types[response].FromString,
            )
            for name, (request, response) in METHODS.items()
        }

    def call(self, method, **fields):
        request = self.types[METHODS[method][0]](**fields)
        return self.calls[method](request, timeout=20)

    def query(self, **fields):
        return self.types["Query"](**fields)

    def refusal(self, method, **fields):
        try:
            self.call(method, **fields)
        except grpc.RpcError as error:
            return error.code(), error.details()
        return None, ""

    def find(self, uuid):
        found = self.call("LookupInstances", query=self.query(uuid=uuid)).instances
        check("lookup by uuid finds one", len(found) == 1, found)
        return found[0]

    def wait(self, uuid, *states):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            instances = self.call("LookupInstances", query=self.query(uuid=uuid)).instances
            if instances and instances[0].state in states:
                return instances[0]
            time.sleep(0.05)
        check("instance reaches one of %s" % (states,), False, instances)


def check_jobs(client, add_kind, slow_kind):
    version = client.call("GetVersion")
    check("GetVersion answers a version", version.version != "", version)
    check("GetVersion answers v1", version.api_version == "v1", version)
    jobs = {job.kind: job for job in client.call("ListRegisteredJobs").jobs}
    check("ListRegisteredJobs names the jobs", {add_kind, slow_kind} <= set(jobs), list(jobs))
    check("a job has the time of its registration", jobs[add_kind].registered_at.seconds > 0)


def check_schedule(client, add_kind):
    first = client.call("ScheduleJob", kind=add_kind, arguments=["40", "2"]).instance
    check("ScheduleJob answers an instance", len(first.uuid) == 36 and first.kind == add_kind, first)
    done = client.wait(first.uuid, STATES["JOB_STATE_COMPLETED"])
    check("arguments are answered", list(done.arguments) == ["40", "2"], done)
    check("results are answered", list(done.results) == ["42"], done)
    times = [done.created_at, done.scheduled_at, done.processed_at, done.completed_at]
    stamps = [time.seconds * 10**9 + time.nanos for time in times]
    check("times are answered, in order", stamps[0] > 0 and stamps == sorted(stamps), done)
    check("attempts are answered", done.attempts == 1, done)
    for field in ("terminated_at", "canceled_at", "timed_out_at", "error"):
        check("a completed instance has no " + field, not done.HasField(field), done)
    for priority in (-1, 0, 10):
        answer = client.call("ScheduleJob", kind=add_kind, arguments=["1", "1"], priority=priority)
        check("priority %d is accepted" % priority, answer.instance.uuid != "")
    code, details = client.refusal("ScheduleJob", kind="no-such-kind")
    check("an unknown kind is NOT_FOUND and named", code == grpc.StatusCode.NOT_FOUND and
          "no-such-kind" in details, (code, details))
    code, details = client.refusal("ScheduleJob", kind=add_kind, arguments=["forty", "2"])
    check("a wrong argument is INVALID_ARGUMENT", code == grpc.StatusCode.INVALID_ARGUMENT,
          (code, details))
    code, details = client.refusal("ScheduleJob", kind=add_kind, arguments=["1"])
    check("a missing argument is INVALID_ARGUMENT", code == grpc.StatusCode.INVALID_ARGUMENT,
          (code, details))
    return first.uuid


def check_lookup(client, add_kind, uuid):
    everything = client.call("LookupInstances").instances
    check("LookupInstances without a query answers all", uuid in {one.uuid for one in everything})
    kinds = client.call("LookupInstances", query=client.query(kind=add_kind)).instances
    check("lookup by kind answers that kind", {one.kind for one in kinds} == {add_kind}, kinds)
    completed = STATES["JOB_STATE_COMPLETED"]
    states = client.call("LookupInstances", query=client.query(state=completed)).instances
    check("lookup by state answers that state", {one.state for one in states} == {completed})
    both = client.query(kind=add_kind, uuid=uuid, state=STATES["JOB_STATE_CANCELLED"])
    check("conditions are joined by and", not client.call("LookupInstances", query=both).instances)
    unknown = client.query(uuid="00000000-0000-4000-8000-000000000000")
    check("an unknown uuid is not found", not client.call("LookupInstances", query=unknown).instances)
    code, details = client.refusal("LookupInstances", query=client.query(uuid="nope"))
    check("a malformed uuid is INVALID_ARGUMENT", code == grpc.StatusCode.INVALID_ARGUMENT,
          (code, details))


def check_cancel(client, slow_kind):
    uuids = [client.call("ScheduleJob", kind=slow_kind).instance.uuid for _ in range(2)]
    for uuid in uuids:
        client.wait(uuid, STATES["JOB_STATE_PROCESSING"])
    code, details = client.refusal("CancelInstances")
    check("an empty cancel is INVALID_ARGUMENT", code == grpc.StatusCode.INVALID_ARGUMENT,
          (code, details))
    answer = client.call("CancelInstances", query=client.query(uuid=uuids[0])).instances
    check("cancel by uuid answers that instance", [one.uuid for one in answer] == uuids[:1], answer)
    gone = client.wait(uuids[0], STATES["JOB_STATE_CANCELLED"])
    check("a canceled instance has its time", gone.HasField("canceled_at"), gone)
    check("the other one runs on", client.find(uuids[1]).state == STATES["JOB_STATE_PROCESSING"])
    client.call("CancelInstances", query=client.query(kind=slow_kind))
    client.wait(uuids[1], STATES["JOB_STATE_CANCELLED"])
    check("cancel by kind cancels the kind", True)


def main():
    target, add_kind, slow_kind = sys.argv[1:4]
    client = Client(target)
    check_jobs(client, add_kind, slow_kind)
    uuid = check_schedule(client, add_kind)
    check_lookup(client, add_kind, uuid)
    check_cancel(client, slow_kind)
    print("all ok")


main()
