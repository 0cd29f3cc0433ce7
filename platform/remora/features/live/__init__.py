"""Users while they act: the transforms of the batch build, over what each has done so far."""
