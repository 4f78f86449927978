// Owners of the library's handles.
#pragma once
#include <quern.hpp>

namespace handles {

using quern::Owner;
using ModelHandle = Owner<quern_model, quern_model_free>;
using AdapterHandle = Owner<quern_adapter, quern_adapter_free>;
using SessionHandle = Owner<quern_session, quern_session_free>;
using GeneratorHandle = Owner<quern_generator, quern_generator_free>;
using EncodedHandle = Owner<quern_encoded, quern_encoded_free>;
using SpansHandle = Owner<quern_spans, quern_spans_free>;
using TokensHandle = Owner<quern_tokens, quern_tokens_free>;
using DetokenizerHandle = Owner<quern_detokenizer, quern_detokenizer_free>;
using TextSchedulerHandle = Owner<quern_text_scheduler, quern_text_scheduler_free>;
using TextRequestHandle = Owner<quern_text_request, quern_text_request_free>;
using GenerationSchedulerHandle = Owner<quern_generation_scheduler, quern_generation_scheduler_free>;
using GenerationRequestHandle = Owner<quern_generation_request, quern_generation_request_free>;
using ToolReaderHandle = Owner<quern_tool_reader, quern_tool_reader_free>;
using StringHandle = Owner<char, quern_string_free>;
using IdsHandle = Owner<int32_t, quern_ids_free>;

}  // namespace handles
