"""The wires to the model: named providers, Responses and Chat Completions, and the chain of fallbacks over them."""
