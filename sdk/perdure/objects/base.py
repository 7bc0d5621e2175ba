"""`DurableObject`: the base of object classes, and what a class without it is given.

Plain: an instance made by hand (`OrderProcessor("x")`, in a unit test) is an ordinary object.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from perdure_runtime.core.errors import NotFoundError

Self = TypeVar("Self")

ID_ATTRIBUTE = "_perdure_id"
SAVE_ATTRIBUTE = "_perdure_save"


class SavedState(dict[str, Any]):
    """What `migrate` is given: saved attributes in JSON shape.

    Attributes:
        version: the `__state_version__` of the class that saved them.
    """

    def __init__(self, values: dict[str, Any], version: int) -> None:
        super().__init__(values)
        self.version = version


class DurableObject:
    """An object with an id whose attributes are saved with the outcome of each method, and when it
    says so (`save`).

    `__init__` runs at every load; saved attributes then overwrite what it set, and new ones keep
    their defaults. Attributes that start with `_` are not saved. A class whose saved attributes
    change their meaning counts `__state_version__` up and defines `migrate(self, old)`, which is
    called after `__init__` with a `SavedState` and sets what the old attributes become.

    Args:
        id: 1 to 255 characters; with the class name it names the object.
    """

    __state_version__: ClassVar[int] = 1

    def __init__(self, id: str) -> None:
        setattr(self, ID_ATTRIBUTE, id)

    @property
    def id(self) -> str:
        """The object's own id."""
        return object_id(self)

    @classmethod
    async def get_or_create(cls: type[Self], id: str) -> Self:
        """The object with this id: a proxy, whose methods run wherever the object is served.

        Writes nothing: the object exists from its first method on.

        Raises:
            TypeError: the class is not decorated with `@durable.object`.
            InvalidArgumentError: the id is empty or longer than 255 characters.
        """
        from perdure.objects.proxy import object_proxy

        return object_proxy(cls, id)

    async def get_state(self) -> dict[str, Any]:
        """The last committed attributes, through a proxy; its own, inside the object.

        Restored by their annotations. Inside an execution this is a recorded call; it is not
        reused by a later attempt.

        Raises (when awaited):
            NotFoundError: the object was never saved.
        """
        return public_attributes(self)

    async def save(self) -> None:
        """Save the attributes as they are now, in the middle of a method (semantics, section 6).

        When it returns, they are on disk, and `get_state` and shared methods read them. A method
        need not do this: its attributes are saved with its outcome, as one with it, and a crash
        replays it from where it began. What was saved stays whatever becomes of the method: it
        raises with `on_error="rollback"` (its retry starts from here), or it is ended from outside.
        Outside of an execution, for instance in a unit test, it does nothing.

        Raises:
            SharedMethodError: the method is shared; it only reads.
            SerializationError, LimitExceededError: an attribute cannot be saved.
            NotDeterministicError: it was called in a step; call it in the method.
        """
        save = vars(self).get(SAVE_ATTRIBUTE)
        if save is not None:
            await save()


class ObjectId:
    """`id` of a class without the base; an attribute of that name goes before it."""

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else object_id(instance)


def object_id(instance: object) -> str:
    """The id of an instance.

    Raises:
        AttributeError: `__init__` has not set it.
    """
    try:
        id: str = instance.__dict__[ID_ATTRIBUTE]
    except KeyError:
        name = type(instance).__name__
        raise AttributeError(
            f"{name} has no id yet; call super().__init__(id) first in {name}.__init__"
        ) from None
    return id


def public_attributes(instance: object) -> dict[str, Any]:
    """What is saved of an instance."""
    return {name: value for name, value in vars(instance).items() if not name.startswith("_")}


def never_saved(class_name: str, id: str) -> NotFoundError:
    """What `get_state` raises for an object that no method has changed yet."""
    return NotFoundError(
        f"object {class_name}/{id} was never saved: no method of it has completed yet"
    )
