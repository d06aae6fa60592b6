"""Loss functions: pairs for discriminator and generator, reconstruction terms."""
