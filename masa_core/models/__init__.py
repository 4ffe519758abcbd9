"""The MASA models in torch: backbones, adapters and heads of the published checkpoints."""
