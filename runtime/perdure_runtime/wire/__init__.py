"""The wire: one subpackage per version of the protocol. Only here may protobuf messages be seen."""
