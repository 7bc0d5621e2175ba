"""Starting, awaiting, inspecting and steering executions from outside.

`client` starts, `handle` is one execution, `query` and `history` make what the coordinator knows
readable, `control` steers, `ambient` finds the client that direct calls use. All of it talks to a
`Transport` and knows no gRPC.
"""
