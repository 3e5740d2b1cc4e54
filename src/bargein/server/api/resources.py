"""The list of all REST resources. Each is defined by its module in `bargein.server.api.routes`."""

from bargein.server.api.resource import Resource
from bargein.server.api.routes import (
    assistants,
    calls,
    chats,
    credentials,
    eval_runs,
    evals,
    files,
    phone_numbers,
    sessions,
    simulation_personalities,
    simulation_runs,
    simulation_scenarios,
    simulation_suites,
    simulations,
    squads,
    structured_outputs,
    tools,
)

RESOURCES: tuple[Resource, ...] = (
    assistants.RESOURCE,
    calls.RESOURCE,
    chats.RESOURCE,
    credentials.RESOURCE,
    eval_runs.RESOURCE,
    simulation_personalities.RESOURCE,
    simulation_runs.RESOURCE,
    simulation_scenarios.RESOURCE,
    simulation_suites.RESOURCE,
    simulations.RESOURCE,
    evals.RESOURCE,
    files.RESOURCE,
    phone_numbers.RESOURCE,
    sessions.RESOURCE,
    squads.RESOURCE,
    structured_outputs.RESOURCE,
    tools.RESOURCE,
)
