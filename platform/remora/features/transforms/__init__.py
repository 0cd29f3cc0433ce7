"""One function per group of features, and the component that makes its view: columns in, columns out, no I/O."""

from remora.features.transforms.transform import Transform, TransformContext

__all__ = ["Transform", "TransformContext"]
