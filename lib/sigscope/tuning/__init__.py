"""Fine-tuning in parts; `sigscope.finetune` is the door."""
