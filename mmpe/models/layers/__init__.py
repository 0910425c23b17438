"""Layers shared by the models."""
from .positional_encoding import CartesianGrid, SinusoidalPositionalEmbedding

__all__ = ['CartesianGrid', 'SinusoidalPositionalEmbedding']
