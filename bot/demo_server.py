"""The process in which the demo model runs: llama.cpp's server on loopback. Knows nothing of Parley but bot/demo.py."""

import os
import secrets
import sys
from importlib import import_module


def main() -> None:
    """Serve the GGUF file `argv[1]`, the runtime being in `argv[2]` or installed; one line tells address and key."""
    sys.path.append(sys.argv[2])
    xllamacpp = import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path, params.model_alias = sys.argv[1], {"smollm2-135m"}
    params.hostnames, params.port, params.api_keys = ["127.0.0.1"], 0, [secrets.token_urlsafe(24)]
    params.ui, params.cors_origins, params.use_jinja = False, "", True
    params.n_ctx, params.n_parallel, params.cache_ram_mib = 8192, 2, 256
    params.sampling.temp, params.sampling.top_p = 0.2, 0.9  # as the makers of SmolLM2 advise
    # With a thread for each core it falls to a tenth of its speed as soon as anything else runs.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = max(1, (os.cpu_count() or 2) - 1)
    server = xllamacpp.Server(params)
    print(f"{server.listening_address}/v1", *params.api_keys, flush=True)
    sys.stdin.read()  # ends when the parent lets go of the pipe, or has died, be it while the model was loading
    os._exit(0)  # its C++ threads need not be waited for


if __name__ == "__main__":
    main()
