#!/bin/sh
# structure_test.sh ROOT: who may include what (docs/architecture.md): tensors' memory and the host's implementations are
# ggml-like's own; ggml-like knows nothing of models, files or texts; formats are known where they are read and to their
# source; examples use the public header alone.
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
forbid "the network is known to what pulls alone" "src convert examples include" "net/|curl/|openssl/" "src/(net|pull)/[a-z_]*\.(h|cpp)"
forbid "the network knows nothing of the Hub" "src/net" "hub/|pull/|store/|io/"
forbid "what pulls knows of no models" "src/pull" "models/|sources/|generation/|gguf/|safetensors/|store/|convert/|engine"
forbid "heads run what hub's readers describe" "src/heads" "hub/|sources/|generation/|gguf/|safetensors/"
forbid "a folder's readers know of no other format" "src/hub" "sources/|generation/|gguf/|safetensors/"
forbid "sources lie below what runs a model" "src/sources" "generation/|run/|engine|loaded_model\.h|c_api"
forbid "models and what they come from lie below generation" "src/loaded_model.h src/loaded_model.cpp src/models" "generation/|run/|engine"
forbid "a loaded model does not ask which format it came from" "src/loaded_model.h src/loaded_model.cpp src/fingerprint.cpp \
  src/describe.cpp src/self_test.cpp src/engine.h" "gguf/|hub/|safetensors/|models/(gguf|hf)_|sources/(gguf|folder)"
forbid "the converter reads any source" "convert" "hub/|safetensors/|models/(gguf|hf)_|gguf/reader|sources/(gguf_s|folder)"
# What asks the operating system by itself: nothing but system/os, and what one system's files hold in ggml-like.
found=$(grep -rnE "#include <(unistd|fcntl|poll|dlfcn|netdb|signal|pthread|windows|winsock2|sys/[a-z]+|netinet/[a-z]+|arpa/[a-z]+)\.h>" \
  ggml-like src convert examples --include=*.h --include=*.cpp | grep -vE "^(ggml-like/(cpu_[a-z]+\.cpp|cuda/)|examples/(arrow/|cli/line_editor\.cpp))" || true)
if [ -n "$found" ]; then
  echo "only system/os asks the operating system:"
  echo "$found"
  failed=1
fi
forbid "system/os knows nothing of quern" "system" "models/|hub/|gguf/|io/|ops\.h|kernels\.h|error\.h|quern\.h"
found=$(grep -rniE "gguf" ggml-like --include=*.h --include=*.cpp || true)
if [ -n "$found" ]; then
  echo "ggml-like mentions a file format:"
  echo "$found"
  failed=1
fi
# One definition of a name: two classes of one name in namespace quern are one to the linker, which keeps either's functions.
# The chat template's lexer has a namespace of its own.
found=$(grep -hoE "^(class|struct) \w+( final)?( :.*)? \{" -r src ggml-like convert --include=*.h --exclude-dir=chat |
  sed -E 's/^(class|struct) (\w+).*/\2/' | sort | uniq -d)
if [ -n "$found" ]; then
  echo "defined in more than one header: $found"
  failed=1
fi
exit $failed
