"""Training of the two models that the server ships: the end-of-turn detector and the interruption classifier."""
