"""Durable objects: classes whose instances live in the store (semantics, section 6).

`decorator` makes an `ObjectDefinition` of a class, `proxy` calls its methods from elsewhere,
`attributes` turns an instance into a payload and back. Running a method is the worker's part,
order and storage the coordinator's.
"""
