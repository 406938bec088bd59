"""Continue: config.yaml; its lists are of maps with a name, and looked into.

Source: docs.continue.dev/reference (config.yaml).
"""

from roosync_protocol.risk.rules.base import CHANGE, CRITICAL, HIGH, LOW, MEDIUM, OFF, VARIABLES, table

CONTINUE = table(
    "continue.*config",
    (CHANGE, CRITICAL, "where prompts and code are sent",
     "*apiBase data.*.destination *requestOptions.proxy *requestOptions.caBundlePath *env.endpoint *.proxyUrl"),
    (OFF, CRITICAL, "the server's certificate is checked", "*requestOptions.verifySsl", True),
    (VARIABLES, HIGH, "what is sent along", "*requestOptions.headers"),
    (CHANGE, HIGH, "how a provider is reached",
     "*requestOptions.clientCertificate* *requestOptions.extraBodyProperties* *.apiKey models.*.env*"),
    (CHANGE, HIGH, "a block of others is loaded", "*.uses *.with* *.override*"),
    (CHANGE, HIGH, "what is sent elsewhere", "data.*.level data.*.events"),
    (CHANGE, MEDIUM, "instructions",
     "rules rules.*.rule rules.*.globs prompts.*.prompt *.chatOptions* *.promptTemplates* *.baseSystemMessage"),
    (CHANGE, MEDIUM, "which model answers, with which context",
     ("models.*.provider models.*.model models.*.roles models.*.capabilities* models.*.defaultCompletionOptions* "
     "models.*.embedOptions* models.*.autocompleteOptions* context.*.provider docs.*.startUrl")),
    (CHANGE, LOW, "how it is shown or timed",
     ("name version schema *.name *.description *requestOptions.timeout models.*.maxStopWords docs.*.favicon "
     "docs.*.useLocalCrawling data.*.schema")),
)  # fmt: skip
