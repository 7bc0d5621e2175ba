"""Drivers: a replay machine and a deterministic loop, joined to run one body."""

from perdure_runtime.driver.body import Body
from perdure_runtime.driver.driver import BodyFactory, Driver
from perdure_runtime.driver.futures import BranchFuture, CommandFuture
from perdure_runtime.driver.options import (
    ContinueAsNew,
    DriverOptions,
    Output,
    StartStep,
    TornDown,
    as_it_is,
)

__all__ = [
    "Body",
    "BodyFactory",
    "BranchFuture",
    "CommandFuture",
    "ContinueAsNew",
    "Driver",
    "DriverOptions",
    "Output",
    "StartStep",
    "TornDown",
    "as_it_is",
]
