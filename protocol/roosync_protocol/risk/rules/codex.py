"""Codex: config.toml of the user and of projects; a profile has the same fields one level deeper.

Source: Codex's `codex-rs/config/src/config_toml.rs`.
"""

from roosync_protocol.risk.rules.base import (
    ALLOW,
    CHANGE,
    CHOICE,
    CRITICAL,
    DENY,
    GRANTS,
    HIGH,
    LOW,
    MEDIUM,
    OFF,
    ON,
    VARIABLES,
    table,
)

CODEX = table(
    "codex.*config",
    (CHOICE, HIGH, "when it asks", "approval_policy profiles.*.approval_policy"),
    (CHOICE, HIGH, "what commands may touch", "sandbox_mode profiles.*.sandbox_mode"),
    (ON, HIGH, "commands reach the network", "sandbox_workspace_write.network_access"),
    (ALLOW, HIGH, "a folder is opened to it", "sandbox_workspace_write.writable_roots"),
    (OFF, HIGH, "shared folders stay closed",
     "sandbox_workspace_write.exclude_slash_tmp sandbox_workspace_write.exclude_tmpdir_env_var"),
    (GRANTS, HIGH, "code of others is loaded", "plugins"),
    (CHANGE, CRITICAL, "a command that is started by itself", "notify hooks* model_providers.*.auth* *.command"),
    (CHANGE, CRITICAL, "where prompts are sent", "*base_url *_endpoint otel*endpoint* *.proxy_url"),
    (VARIABLES, HIGH, "what is sent along", "*http_headers otel*headers"),
    (CHANGE, HIGH, "how a provider is reached",
     ("model_providers.*.env_key* model_providers.*.query_params* model_providers.*.requires_openai_auth "
     "model_provider profiles.*.model_provider oss_provider")),
    (CHANGE, LOW, "how it is shown or timed",
     ("model_providers.*.name model_providers.*.request_max_retries model_providers.*.stream_max_retries "
     "model_providers.*.stream_idle_timeout_ms")),
    (CHANGE, MEDIUM, "how a provider is spoken to", "model_providers.*.wire_api"),
    (VARIABLES, HIGH, "the environment of commands", "shell_environment_policy.set"),
    (DENY, HIGH, "a variable is given to commands", "shell_environment_policy.exclude"),
    (ALLOW, HIGH, "a variable is given to commands", "shell_environment_policy.include_only", True),
    (CHANGE, HIGH, "which variables commands see", "shell_environment_policy.*"),
    (ON, HIGH, "commands read the shell's start files", "allow_login_shell", True),
    (CHANGE, HIGH, "who approves, and what may be done",
     "approvals_reviewer auto_review* permissions* default_permissions windows.sandbox"),
    (CHOICE, HIGH, "which projects are trusted", "projects.*.trust_level"),
    (CHANGE, HIGH, "instructions from another file",
     "model_instructions_file experimental_instructions_file experimental_compact_prompt_file model_catalog_json "
     "agents.*.config_file"),
    (CHANGE, HIGH, "code of others is loaded", "plugins* marketplaces* apps* skills* tool_suggest*"),
    (GRANTS, HIGH, "a feature is turned on", "features*"),
    (CHANGE, HIGH, "how sign-in is kept", "*credentials_store mcp_oauth_callback_* forced_*"),
    (ON, HIGH, "prompts are logged elsewhere", "otel.log_user_prompt"),
    (CHANGE, MEDIUM, "instructions", "instructions developer_instructions compact_prompt include_*_instructions"),
    (CHANGE, MEDIUM, "which model answers",
     ("model review_model profile personality service_tier web_search tools.web_search* tools.view_image "
     "plan_mode_reasoning_effort model_context_window model_auto_compact_token_limit* model_reasoning_effort "
     "model_reasoning_summary model_verbosity model_supports_reasoning_summaries memories* "
     "project_doc_fallback_filenames project_root_markers profiles.*.model profiles.*.model_reasoning_effort "
     "profiles.*.model_reasoning_summary profiles.*.model_verbosity profiles.*.personality profiles.*.service_tier "
     "profiles.*.web_search")),
    (CHANGE, LOW, "how it is shown or timed",
     ("history history.persistence history.max_bytes tui tui.* hide_agent_reasoning show_raw_agent_reasoning "
     "file_opener disable_paste_burst project_doc_max_bytes tool_output_token_limit background_terminal_max_timeout "
     "agents.max_threads agents.max_depth agents.job_max_runtime_seconds agents.*.description "
     "check_for_update_on_startup suppress_unstable_features_warning analytics analytics.enabled feedback "
     "feedback.enabled")),
)  # fmt: skip
