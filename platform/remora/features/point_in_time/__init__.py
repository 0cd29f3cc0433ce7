"""A Feast offline store on Ray Data: every entity row comes back with what was known at its instant, and nothing later.

Usable by any Feast repository: ``offline_store: {type: remora.features.point_in_time.store.PointInTimeOfflineStore}``.
The semantics are in ``docs/explanation/point_in_time.md``.
"""
