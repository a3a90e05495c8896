"""What the routes of the Open Inference Protocol answer."""

from marshmallow import Schema, fields

from app.web.schemas import V2FailureSchema, described


class ServerLiveSchema(Schema):
    """The process answers."""

    live = fields.Boolean(required=True)
    name = fields.String(required=True)


class ServerReadySchema(ServerLiveSchema):
    """Requests can be served."""

    ready = fields.Boolean(required=True)


class UnreadySchema(V2FailureSchema):
    """Why requests cannot be served."""

    ready = fields.Boolean(required=True)
    reasons = fields.List(fields.String(), required=True)


class ServerMetadataSchema(Schema):
    """The server and what of the protocol it implements."""

    name = fields.String(required=True)
    version = fields.String(required=True)
    extensions = fields.List(fields.String(), required=True)


class ModelListSchema(Schema):
    """The names of all models."""

    models = fields.List(fields.String(), required=True)


class TensorSpecSchema(Schema):
    """One input or output."""

    name = fields.String(required=True)
    datatype = fields.String(required=True)
    shape = fields.List(fields.Integer(), required=True)


class ModelMetadataSchema(Schema):
    """What a model takes and answers."""

    name = fields.String(required=True)
    versions = fields.List(fields.String(), required=True)
    platform = fields.String(required=True)
    inputs = fields.List(fields.Nested(TensorSpecSchema), required=True)
    outputs = fields.List(fields.Nested(TensorSpecSchema), required=True)


class ModelReadySchema(Schema):
    """Whether a model is loaded and ready."""

    name = fields.String(required=True)
    ready = fields.Boolean(required=True)


class ConfigTensorSchema(Schema):
    """One input or output, in the words of model configurations."""

    name = fields.String(required=True)
    data_type = fields.String(required=True)
    dims = fields.List(fields.Integer(), required=True)


class ModelConfigSchema(Schema):
    """How a model is configured."""

    name = fields.String(required=True)
    platform = fields.String(required=True)
    backend = fields.String(required=True)
    max_batch_size = fields.Integer(required=True, metadata=described("0 for a model that takes no batches."))
    input = fields.List(fields.Nested(ConfigTensorSchema), required=True)
    output = fields.List(fields.Nested(ConfigTensorSchema), required=True)
    dynamic_batching = fields.Dict(metadata=described("There where the model takes batches."))


class TensorSchema(TensorSpecSchema):
    """One output's data, or how many bytes of it follow the JSON."""

    parameters = fields.Dict(metadata=described("`binary_data_size` where the data follow the JSON."))
    data = fields.List(fields.Raw(), metadata=described("Flat, row-major."))


class InferenceSchema(Schema):
    """An inference's answer. Documentation only: the runner writes it."""

    model_name = fields.String(required=True)
    model_version = fields.String(required=True)
    id = fields.String(metadata=described("The request's, if it had one."))
    parameters = fields.Dict(metadata=described("`variant`, when a route chose the version."))
    outputs = fields.List(fields.Nested(TensorSchema), required=True)


class IndexEntrySchema(Schema):
    """One version of one model."""

    name = fields.String(required=True)
    version = fields.String(required=True)
    state = fields.String(required=True, metadata=described("READY, LOADING, UNLOADING or UNAVAILABLE."))
    reason = fields.String(required=True, metadata=described("Why it is not READY; else empty."))


class TotalSchema(Schema):
    """How often something was done, and how long that took in all."""

    count = fields.Integer(required=True)
    ns = fields.Integer(required=True, metadata=described("Nanoseconds."))


class InferenceStatsSchema(Schema):
    """Requests by how they ended, and by the stages they passed."""

    success = fields.Nested(TotalSchema, required=True)
    fail = fields.Nested(TotalSchema, required=True)
    queue = fields.Nested(TotalSchema, required=True)
    compute_input = fields.Nested(TotalSchema, required=True)
    compute_infer = fields.Nested(TotalSchema, required=True)
    compute_output = fields.Nested(TotalSchema, required=True)
    cache_hit = fields.Nested(TotalSchema, required=True)
    cache_miss = fields.Nested(TotalSchema, required=True)


class BatchStatsSchema(Schema):
    """Executions of one batch size."""

    batch_size = fields.Integer(required=True)
    compute_input = fields.Nested(TotalSchema, required=True)
    compute_infer = fields.Nested(TotalSchema, required=True)
    compute_output = fields.Nested(TotalSchema, required=True)


class MemorySchema(Schema):
    """What the version's runners hold."""

    type = fields.String(required=True)
    id = fields.Integer(required=True)
    byte_size = fields.Integer(required=True)


class VersionStatisticsSchema(Schema):
    """What one version has done since its first runner started."""

    name = fields.String(required=True)
    version = fields.String(required=True)
    last_inference = fields.Integer(required=True, metadata=described("Milliseconds since 1970; 0 for never."))
    inference_count = fields.Integer(required=True, metadata=described("A batch of 64 counts 64."))
    execution_count = fields.Integer(required=True, metadata=described("Times the model ran."))
    inference_stats = fields.Nested(InferenceStatsSchema, required=True)
    response_stats = fields.Dict(required=True, metadata=described("Empty: each request has one answer."))
    batch_stats = fields.List(fields.Nested(BatchStatsSchema), required=True)
    memory_usage = fields.List(fields.Nested(MemorySchema), required=True)


class StatisticsSchema(Schema):
    """The statistics of all versions asked for."""

    model_stats = fields.List(fields.Nested(VersionStatisticsSchema), required=True)
