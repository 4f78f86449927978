#!/bin/sh
# structure_test.sh ROOT: who may include what (docs/architecture.md): tensors' memory and the host's implementations are
# ggml-like's own; ggml-like knows nothing of models, files or texts; examples use the public header alone.
set -eu
cd "$1"
failed=0
# forbid WHAT WHERE PATTERN [EXCEPT]
forbid() {
  found=$(grep -rnE "#include \"($3)" $2 --include=*.h --include=*.cpp | grep -vE "^(${4:-none}):" || true)
  [ -z "$found" ] && return
  echo "$1:"
  echo "$found"
  failed=1
}
forbid "only ggml-like reaches a tensor's memory" "src convert examples include" "tensor_data\.h|host_ops\.h|host_kv_cache\.h"
forbid "only the loader chooses the device" "src convert examples" "host_device\.h" "src/loaded_model\.cpp"
forbid "only ggml-like includes kernels' templates" "src convert examples" "isa/"
forbid "ggml-like includes nothing of src" "ggml-like" "models/|hub/|heads/|gguf/|io/|tokenizers/|generation/|engine"
forbid "examples use the public header alone" "examples" "models/|hub/|heads/|gguf/|io/|tokenizers/|generation/|engine|ops\.h|kernels\.h"
exit $failed
