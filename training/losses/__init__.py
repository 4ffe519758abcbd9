"""What training minimises: instance similarity (paper section 3.2.1) and distillation (3.2.2)."""

from __future__ import annotations
