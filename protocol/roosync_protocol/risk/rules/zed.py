"""Zed: what of its settings.json concerns its assistants.

Source: Zed's `crates/settings_content/src/agent.rs` and `docs/src/ai/agent-settings.md`.
"""

from roosync_protocol.risk.rules.base import (
    ALLOW,
    CHANGE,
    CRITICAL,
    DENY,
    GRANTS,
    HIGH,
    LOW,
    MEDIUM,
    ON,
    table,
)

ZED = table(
    "zed.*settings",
    (CHANGE, CRITICAL, "a command that is started by itself",
     "agent_servers* lsp.*.binary* terminal.shell* *.formatter* *.command"),
    (CHANGE, CRITICAL, "where prompts and code are sent", "*api_url *server_url *proxy"),
    (ON, CRITICAL, "the proxy's certificate is not checked", "*proxy_no_verify"),
    (ON, CRITICAL, "its tools run without asking", "*.always_allow_tool_actions"),
    (ALLOW, HIGH, "a tool runs without asking", "agent.tool_permissions.tools.*.always_allow"),
    (DENY, HIGH, "a tool is no longer held back",
     "agent.tool_permissions.tools.*.always_deny agent.tool_permissions.tools.*.always_confirm"),
    (GRANTS, HIGH, "tools run without asking", "agent.tool_permissions.default agent.tool_permissions.tools.*.default"),
    (ON, CRITICAL, "commands leave the sandbox", "agent.sandbox_permissions.allow_*"),
    (ALLOW, HIGH, "a folder is opened to it", "agent.sandbox_permissions.write_paths"),
    (GRANTS, HIGH, "a tool can be used", "agent.profiles.*.tools agent.profiles.*.context_servers"),
    (ON, HIGH, "every server can be used", "agent.profiles.*.enable_all_context_servers"),
    (CHANGE, MEDIUM, "instructions", "agent.commit_message_instructions"),
    (CHANGE, MEDIUM, "which model answers",
     ("agent.enabled agent.version agent.default_model* agent.default_profile agent.subagent_model* "
     "agent.inline_assistant_model* agent.commit_message_model* agent.thread_summary_model* "
     "agent.inline_alternatives* agent.model_parameters* agent.favorite_models* agent.profiles.*.name "
     "agent.profiles.*.default_model* agent.inline_assistant_use_streaming_tools "
     "language_models.*.available_models* edit_predictions.provider edit_predictions.mode "
     "edit_predictions.disabled_globs features.edit_prediction_provider disable_ai show_edit_predictions")),
    (CHANGE, LOW, "how it is shown",
     ("agent.button agent.dock agent.flexible agent.sidebar_side agent.default_width agent.default_height "
     "agent.limit_content_width agent.max_content_width agent.notify_when_agent_waiting "
     "agent.play_sound_when_agent_done agent.single_file_review agent.enable_feedback agent.expand_edit_card "
     "agent.expand_terminal_card agent.thinking_display agent.cancel_generation_on_terminal_stop "
     "agent.use_modifier_to_send agent.message_editor_min_lines agent.show_turn_stats "
     "agent.show_merge_conflict_indicator agent.preferred_completion_mode agent_ui_font_size agent_buffer_font_size "
     "theme theme.* icon_theme ui_font_size buffer_font_size")),
)  # fmt: skip
