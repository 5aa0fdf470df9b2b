"""Reads OTLP trace requests, one base64 of protobuf a line, by OpenTelemetry's own schema, and writes their spans as JSON."""
import base64
import json
import sys

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

for line in sys.stdin:
    request = ExportTraceServiceRequest()
    request.ParseFromString(base64.b64decode(line))
    print(json.dumps(MessageToDict(request)))
