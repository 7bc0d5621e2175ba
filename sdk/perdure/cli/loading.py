"""What a worker is told to serve: `app:service`, `app` or `app.py` as services."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from perdure.cli.failures import UsageError

if TYPE_CHECKING:
    from perdure.service import Service


def load_services(target: str, default_service: str) -> list[Service]:
    """Import the target and collect its services.

    A module's functions, flows and steps that no service offers go into `default_service`. The
    actions that it defines have their own.

    Raises:
        UsageError: there is no such module or name, it cannot be imported, or it defines nothing.
        InvalidArgumentError: two definitions of one name meet in a service.
    """
    from inspect import getattr_static

    from perdure.definition import Definition
    from perdure.registry import REGISTRY, collect_services
    from perdure.service import Service

    where, _, name = target.partition(":")
    module = _import(where)
    found = [_attribute(module, name)] if name else list(vars(module).values())
    services = [each for each in found if isinstance(each, Service)]
    # Statically: a module may hold proxies (`perdure.ctx`) that refuse to be asked.
    held = (
        getattr_static(each, "definition", None) for each in found if not isinstance(each, type)
    )
    definitions = [each for each in held if isinstance(each, Definition)]
    services += collect_services(definitions, default_service)
    if name:
        for definition in definitions:
            services += [REGISTRY.services[home] for home in REGISTRY.homes(definition.function)]
    if not name and "perdure.actions" in sys.modules:
        from perdure.actions import services as actions_defined

        services += actions_defined()
    if not services:
        what = "is" if name else "defines"
        raise UsageError(f"{target} {what} no service and no durable function of its own")
    return list({service.name: service for service in services}.values())


def _attribute(module: ModuleType, name: str) -> Any:
    found: Any = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise UsageError(f"{module.__name__} has no {name!r}") from None
    return found


def _import(where: str) -> ModuleType:
    directory = str(Path.cwd())
    if directory not in sys.path:
        sys.path.insert(0, directory)
    try:
        if where.endswith(".py"):
            return _import_file(Path(where))
        return import_module(where)
    except ModuleNotFoundError as error:
        if error.name is not None and (where == error.name or where.startswith(f"{error.name}.")):
            raise UsageError(
                f"there is no module {where!r} in {directory} or on the path"
            ) from None
        raise UsageError(f"{where} needs {error.name!r}, which is not installed") from error
    except (ImportError, SyntaxError, ValueError) as error:
        raise UsageError(f"cannot import {where}: {type(error).__name__}: {error}") from error


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    name = path.stem
    spec = spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} cannot be imported")
    sys.path.insert(0, str(path.resolve().parent))
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
