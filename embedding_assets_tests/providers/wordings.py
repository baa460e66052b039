"""What seven providers say when they refuse, in their own words, and the error type each of it is.

Not here: who says it to whom (loopback, test_seven_providers).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from embedding_assets.domain.failures import ErrorType
from embedding_assets_tests.providers.loopback import Said


@dataclass(frozen=True, slots=True)
class Cloud:
    """A provider as a collection names it: the model, the path below its address, its options; and its refusals."""

    model: str
    path: str
    refusals: Mapping[str, tuple[Said, ErrorType]]
    options: Mapping[str, object] = field(default_factory=dict[str, object])


def _openai(message: str, code: str | None, kind: str = "invalid_request_error") -> dict[str, object]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _azure(code: str, message: str) -> dict[str, object]:
    return {"error": {"code": code, "message": message}}


def _google(code: int, status: str, message: str, reason: str | None = None) -> dict[str, object]:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}] if reason else []
    return {"error": {"code": code, "message": message, "status": status, "details": details}}


def _amazon(status: int, code: str, message: str) -> Said:
    return Said(status, {"message": message}, {"x-amzn-ErrorType": f"{code}:http://internal.amazon.com/"})


_TOO_LONG = (
    "This model's maximum context length is 8192 tokens, however you requested 9000 tokens (9000 in your prompt;"
    " 0 for the completion). Please reduce your prompt; or completion length."
)
_CREDENTIALS, _MODEL, _BUDGET = ErrorType.CREDENTIALS_REJECTED, ErrorType.UNKNOWN_MODEL, ErrorType.BUDGET_REACHED
_CONTEXT, _REJECTED, _RATE = ErrorType.CONTEXT_TOO_LONG, ErrorType.INPUT_REJECTED, ErrorType.RATE_LIMITED
_DOWN = ErrorType.PROVIDER_UNAVAILABLE

OPENAI = {
    "401": (Said(401, _openai("Incorrect API key provided: sk-x.", "invalid_api_key")), _CREDENTIALS),
    "403": (Said(403, _openai("Country not supported", "unsupported_country_region_territory")), _CREDENTIALS),
    "403 for the model": (Said(403, _openai("Project does not have access to model", "model_not_found")), _MODEL),
    "404": (Said(404, _openai("The model `x` does not exist", "model_not_found")), _MODEL),
    "too long": (Said(400, _openai(_TOO_LONG, None)), _CONTEXT),
    "too long, newer": (Said(400, _openai("Invalid 'input': maximum context length is 8192 tokens.", None)), _CONTEXT),
    "rejected": (Said(400, _openai("'$.input' is invalid.", None)), _REJECTED),
    "429": (Said(429, _openai("Rate limit reached for x on requests per min", "rate_limit_exceeded")), _RATE),
    "quota": (Said(429, _openai("You exceeded your current quota", "insufficient_quota")), _BUDGET),
    "500": (Said(500, _openai("The server had an error", None, "server_error")), _DOWN),
    "503": (Said(503, _openai("The engine is currently overloaded", None, "server_error")), _DOWN),
}
AZURE = {
    "401": (
        Said(401, _azure("401", "Access denied due to invalid subscription key or wrong API endpoint.")),
        _CREDENTIALS,
    ),
    "403": (Said(403, _azure("403", "Public access is disabled. Please configure private endpoint.")), _CREDENTIALS),
    "404": (Said(404, _azure("DeploymentNotFound", "The API deployment for this resource does not exist.")), _MODEL),
    "not for embeddings": (
        Said(400, _azure("OperationNotSupported", "The embeddings operation does not work")),
        _MODEL,
    ),
    "too long": (Said(400, _openai(_TOO_LONG, None)), _CONTEXT),
    "rejected": (Said(400, _azure("content_filter", "The response was filtered")), _REJECTED),
    "429": (Said(429, _azure("429", "Requests have exceeded call rate limit. Please retry after 6 seconds.")), _RATE),
    "quota": (Said(429, _azure("insufficient_quota", "You exceeded your current quota")), _BUDGET),
    "500": (Said(500, _azure("InternalServerError", "Internal server error")), _DOWN),
    "503": (Said(503, _azure("ServiceUnavailable", "The service is temporarily unable to process it")), _DOWN),
}
VERTEX = {
    "401": (
        Said(401, _google(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")),
        _CREDENTIALS,
    ),
    "403": (Said(403, _google(403, "PERMISSION_DENIED", "Permission denied on resource")), _CREDENTIALS),
    "404": (Said(404, _google(404, "NOT_FOUND", "Publisher Model `projects/p/x` was not found")), _MODEL),
    "too long": (
        Said(
            400,
            _google(
                400,
                "INVALID_ARGUMENT",
                "Unable to submit request because the input token count is 109362 but the model supports up to 20000.",
            ),
        ),
        _CONTEXT,
    ),
    "rejected": (Said(400, _google(400, "INVALID_ARGUMENT", "The text content is empty.")), _REJECTED),
    "429": (Said(429, _google(429, "RESOURCE_EXHAUSTED", "Quota exceeded for online_prediction_requests")), _RATE),
    "quota": (Said(403, _google(403, "PERMISSION_DENIED", "It requires billing", "BILLING_DISABLED")), _BUDGET),
    "500": (Said(500, _google(500, "INTERNAL", "Internal error encountered.")), _DOWN),
    "503": (Said(503, _google(503, "UNAVAILABLE", "The service is currently unavailable.")), _DOWN),
    "504": (Said(504, _google(504, "DEADLINE_EXCEEDED", "Deadline expired")), _DOWN),
}
BEDROCK = {
    "401": (_amazon(401, "UnauthorizedException", "Invalid API Key format"), _CREDENTIALS),
    "403": (_amazon(403, "AccessDeniedException", "You don't have access to the model with this ID."), _CREDENTIALS),
    "token": (_amazon(400, "ExpiredTokenException", "The security token is expired"), _CREDENTIALS),
    "404": (_amazon(404, "ResourceNotFoundException", "Model not found."), _MODEL),
    "404 as 400": (_amazon(400, "ValidationException", "The provided model identifier is invalid."), _MODEL),
    "too long": (
        _amazon(
            400,
            "ValidationException",
            "Malformed input request: #/texts/0: expected maxLength: 2048, actual: 4242, please reformat your input",
        ),
        _CONTEXT,
    ),
    "too long, otherwise": (_amazon(400, "ValidationException", "Input is too long for requested model."), _CONTEXT),
    "too long for Titan": (
        _amazon(400, "ValidationException", "400 Bad Request: Too many input tokens. Max input tokens: 8192"),
        _CONTEXT,
    ),
    "rejected": (_amazon(400, "ValidationException", "Malformed input request: #/texts: expected minimum"), _REJECTED),
    "429": (_amazon(429, "ThrottlingException", "Too many requests, please wait before trying again."), _RATE),
    "quota": (_amazon(400, "ServiceQuotaExceededException", "Your request exceeds the service quota"), _BUDGET),
    "424": (_amazon(424, "ModelErrorException", "The system encountered an unexpected error"), _DOWN),
    "500": (_amazon(500, "InternalServerException", "An internal server error occurred."), _DOWN),
    "503": (_amazon(503, "ServiceUnavailableException", "Service Unavailable"), _DOWN),
}
COHERE = {
    "401": (Said(401, {"message": "invalid api token"}), _CREDENTIALS),
    "403": (Said(403, {"message": "your access is blocked"}), _CREDENTIALS),
    "404": (Said(404, {"message": "model 'x' not found, make sure the correct model ID was used"}), _MODEL),
    "too long": (
        Said(
            400, {"message": "too many tokens: total number of tokens in the prompt cannot exceed 512 - received 600"}
        ),
        _CONTEXT,
    ),
    "rejected": (Said(400, {"message": "invalid request: texts must be at least 1 token long"}), _REJECTED),
    "a word it denies": (Said(498, {"message": "blocked input"}), _REJECTED),
    "429": (Said(429, {"message": "You are using a Trial key, which is limited to 40 API calls / minute."}), _RATE),
    "quota": (
        Said(
            429, {"message": "You are using a Trial key, which is limited to 1000 API calls / month. You can upgrade"}
        ),
        _BUDGET,
    ),
    "402": (Said(402, {"message": "Please add or update your payment method"}), _BUDGET),
    "500": (Said(500, {"message": "internal server error"}), _DOWN),
    "503": (Said(503, {"message": "service unavailable"}), _DOWN),
}
VOYAGE = {
    "401": (Said(401, {"detail": "Provided API key is invalid."}), _CREDENTIALS),
    "403": (Said(403, {"detail": "Forbidden"}), _CREDENTIALS),
    "404": (Said(404, {"detail": "Not Found"}), _MODEL),
    "404 as 400": (
        Said(400, {"detail": "Model voyage-x is not supported. Supported models are ['voyage-3']."}),
        _MODEL,
    ),
    "too long": (
        Said(
            400,
            {
                "detail": "Request to model 'voyage-3' failed. The example at index 0 in your batch has too many tokens and"
                " does not fit into the model's context window of 32000 tokens."
            },
        ),
        _CONTEXT,
    ),
    "rejected": (Said(400, {"detail": "Argument 'input' must be a string or a list of strings"}), _REJECTED),
    "batch": (
        Said(400, {"detail": "The max allowed tokens per submitted batch is 120000. Your batch has 124302 tokens."}),
        _REJECTED,
    ),
    "429": (Said(429, {"detail": "You have not yet added your payment method and have reduced rate limits"}), _RATE),
    "quota": (Said(402, {"detail": "Payment required"}), _BUDGET),
    "500": (Said(500, {"detail": "Internal Server Error"}), _DOWN),
    "503": (Said(503, {"detail": "Service Unavailable"}), _DOWN),
}
OLLAMA = {
    "401": (Said(401, {"error": "unauthorized"}), _CREDENTIALS),
    "403": (Said(403, ""), _CREDENTIALS),
    "404": (Said(404, {"error": 'model "x" not found, try pulling it first'}), _MODEL),
    "not for embeddings": (Said(400, {"error": '"llama3" does not support embeddings'}), _MODEL),
    "started without them": (Said(501, {"error": "This server does not support embeddings."}), _MODEL),
    "too long": (Said(400, {"error": "the input length exceeds the context length"}), _CONTEXT),
    "too long, as 500": (
        Said(500, {"error": "input (1700 tokens) is too large to process. increase the physical batch size"}),
        _CONTEXT,
    ),
    "rejected": (Said(400, {"error": "invalid input type"}), _REJECTED),
    "429": (Said(429, {"error": "too many requests"}), _RATE),
    "quota": (Said(402, {"error": "usage limit reached"}), _BUDGET),
    "500": (Said(500, {"error": "model requires more system memory (5.6 GiB) than is available"}), _DOWN),
    "503": (Said(503, {"error": "server busy, please try again. maximum pending requests exceeded"}), _DOWN),
}

CLOUDS: Mapping[str, Cloud] = {
    "openai": Cloud("openai/text-embedding-3-small", "/v1", OPENAI),
    "azure": Cloud("azure/any-deployment", "", AZURE, {"api_version": "2024-10-21"}),
    "vertex": Cloud(
        "vertex_ai/text-embedding-005", "", VERTEX, {"vertex_project": "p", "vertex_location": "us-central1"}
    ),
    "bedrock": Cloud("bedrock/cohere.embed-english-v3", "", BEDROCK, {"aws_region_name": "us-east-1"}),
    "cohere": Cloud("cohere/embed-english-v3.0", "/v2/embed", COHERE, {"input_type": "search_document"}),
    "voyage": Cloud("voyage/voyage-3", "/v1", VOYAGE),
    "ollama": Cloud("ollama/nomic-embed-text", "", OLLAMA),
}
