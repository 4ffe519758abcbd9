"""Masks and proposals for a bundle, distilled from segments; the detector stays as it is."""
