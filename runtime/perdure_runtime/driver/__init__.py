"""Drivers join a user's code to a replay machine; they know no network and no store."""
