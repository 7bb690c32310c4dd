"""The embedded AWS: moto, the layer that corrects it, and a networking stack in it."""
