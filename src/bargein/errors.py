"""The root of every error that bargein raises on purpose.

The tree, with the module of each. Left out are errors that a single carrier defines in its folder: they descend from
one of these.

    BargeinError
        OddPcmError  (audio.pcm)
        FloodError  (call.hearing.audio_input)
        PlanError  (call.plan.compile)
        HookError  (call.plan.hooks)
        TemplateError  (call.plan.liquid)
        ExplainError  (call.record.explain)
        JournalError  (call.record.journal)
        HandoffError  (call.tools.transfer)
        MarkError  (call.tuning.marks)
        FrameError  (carriers.interface.media)
        ForgedError  (carriers.interface.webhooks)
        ClientError  (client.errors)
            RefusedError  (client.errors)
            UnreachableError  (client.errors)
        DocumentationError  (documentation)
        AddressRefusedError  (http_client)
        PrivateAddressError  (http_client)
        RefusedAnswerError  (http_client)
        PatternError  (patterns)
        CarrierError  (ports.errors)
        ProviderError  (ports.errors)
        ServerError  (ports.errors)
            StatusError  (webhooks.backoff)
        StoreError  (ports.errors)
            StoreFullError  (ports.errors)
            StoreUnavailableError  (ports.errors)
            StoreOpenError  (store.opening)
        StreamError  (providers.http)
        AssemblyError  (server.agents.assemble)
        MissingAgentError  (server.agents.squads)
        RefusedError  (server.calls.live_calls)
        StartError  (server.calls.live_calls)
        WordsElsewhereError  (server.calls.owner_jobs)
        NoServerError  (server.ops.server_process)
        SettingsError  (settings.section)
        VaultError  (store.vault)
        RefusedError  (testing.sip_message)
        ToolError  (tools.outcome)
        UnreadableError  (tools.text_of)
        WaitFunctionError  (turns.endpointing.wait_function)
        RuleSizeError  (wire.endpointing_rules)
        WireError  (wire.errors)
            ChatAgentError  (server.chats.service)
        RejectionPlanError  (wire.rejection)
"""


class BargeinError(Exception):
    """An error that bargein raises on purpose. Each package defines its own beneath this one."""
