"""Loss functions: pairs for critic and generator, reconstruction terms."""
