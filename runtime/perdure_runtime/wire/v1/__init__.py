"""Protocol `perdure.v1`: values of `perdure_runtime.core` to protobuf and back.

`entries` (journal entries and their bytes), `frames` (worker sessions), `client` and `admin`
(requests and replies), `status` (errors), `version` (the negotiation header of clients). Does no
I/O; the contract is `proto/perdure/v1`, its texts and golden fixtures are in `proto/spec`.
"""
