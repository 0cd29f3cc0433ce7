"""Events while they happen: taken in over HTTP and gRPC, kept durably, brought to the lake."""
