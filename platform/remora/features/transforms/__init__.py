"""One function per group of features: columns in, columns out, no I/O."""
